//! Mail over SMTP (RFC 5321): where to, by which encryption, as whom; one connection a mail.
//!
//! What it is not: retries; [`crate::outbox_worker`] decides what is sent and is told how it went.
//! Invariant: without TLS nothing is said beyond EHLO, unless the operator wrote `smtp+plain` for a host that may have it.

use std::{fmt, fs, path::Path, time::Duration};

use domain::{MailClaim, SendError};
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailParameter},
    },
};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use tokio::time::timeout;

use crate::{
    address::Allowed,
    failure::{Failure, Result},
};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);
/// From the look-up of the server's name to its word on the mail: well within the lease of an outbox item.
const SEND_TIME_MAX: Duration = Duration::from_secs(60);
/// The mechanisms in the order in which they are tried.
const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// `smtp://`: STARTTLS before anything else, or nothing is sent.
    StartTls,
    /// `smtps://`: TLS from the first byte.
    Tls,
    /// `smtp+plain://`: none.
    None,
}

/// What `mail.smtp_url` says.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpServer {
    encryption: Encryption,
    host: String,
    port: u16,
    user_password: Option<(String, String)>,
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpServer({}:{}, ***)", self.host, self.port)
    }
}

impl SmtpServer {
    /// Nothing where the text is empty.
    pub fn parse(text: &str, allowed: &Allowed) -> std::result::Result<Option<SmtpServer>, String> {
        const FORM: &str = "it must be smtp://HOST:PORT (STARTTLS), smtps://HOST:PORT (TLS) or smtp+plain://HOST:PORT \
                            (none; this machine only), with USER:PASSWORD@ before the host where one is needed";
        if text.trim().is_empty() {
            return Ok(None);
        }
        let url = Url::parse(text.trim()).map_err(|_| FORM.to_owned())?;
        let (encryption, port) = match url.scheme() {
            "smtp" => (Encryption::StartTls, 587),
            "smtps" => (Encryption::Tls, 465),
            "smtp+plain" => (Encryption::None, 25),
            _ => return Err(FORM.to_owned()),
        };
        let bare = matches!(url.path(), "" | "/") && url.query().is_none();
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || !bare {
            return Err(FORM.to_owned());
        }
        if encryption == Encryption::None && !may_be_plain(host, allowed) {
            return Err(
                "mail would cross the network unencrypted: use smtp:// or smtps://, or name the host in outbound.allow"
                    .to_owned(),
            );
        }
        let decoded = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(String::from)
                .map_err(|_| FORM.to_owned())
        };
        let user_password = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => {
                Some((decoded(user)?, decoded(password)?))
            }
            _ => return Err("a user needs a password, and a password a user".to_owned()),
        };
        Ok(Some(SmtpServer {
            encryption,
            host: host.to_owned(),
            port: url.port().unwrap_or(port),
            user_password,
        }))
    }
}

fn may_be_plain(host: &str, allowed: &Allowed) -> bool {
    let near = |allowed: &Allowed| {
        let address = host.parse().ok();
        allowed.has_host(host) || address.is_some_and(|address| allowed.has_address(address))
    };
    near(&Allowed::loopback()) || near(allowed)
}

/// `Name <address>` or an address alone.
pub fn sender(text: &str) -> std::result::Result<Mailbox, String> {
    let parsed = text.parse().ok();
    let one_line = !text.contains(|c: char| c.is_control());
    parsed
        .filter(|_| one_line)
        .ok_or_else(|| "it must be an address such as Throng <throng@example.org>".to_owned())
}

/// Sends mail through one server.
#[derive(Clone)]
pub struct Mailer {
    server: SmtpServer,
    from: Mailbox,
    hello: ClientId,
    tls: Option<TlsParameters>,
    /// Makes message ids differ between installations.
    installation: String,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailer({:?})", self.server)
    }
}

impl Mailer {
    /// `ca_file` names certificates in PEM that are trusted instead of the system's.
    pub fn new(
        server: SmtpServer,
        from: Mailbox,
        ca_file: Option<&Path>,
        installation: String,
    ) -> Result<Mailer> {
        let tls = match server.encryption {
            Encryption::None => None,
            Encryption::StartTls | Encryption::Tls => Some(tls(&server.host, ca_file)?),
        };
        Ok(Mailer {
            hello: ClientId::Domain(from.email.domain().to_owned()),
            server,
            from,
            tls,
            installation,
        })
    }

    /// Sends one mail. What the server said is for administrators.
    pub async fn send(&self, mail: &MailClaim) -> std::result::Result<(), SendError> {
        let to: Address = mail
            .to
            .parse()
            .map_err(|error| SendError::Permanent(format!("the address is malformed: {error}")))?;
        let message = self.message(mail, to.clone()).map_err(|error| {
            SendError::Permanent(format!("the mail cannot be written: {error}"))
        })?;
        timeout(SEND_TIME_MAX, self.deliver(to, &message.formatted()))
            .await
            .unwrap_or_else(|_| {
                let seconds = SEND_TIME_MAX.as_secs();
                Err(SendError::Transient(format!(
                    "the mail server did not take the mail within {seconds} seconds"
                )))
            })
    }

    fn message(
        &self,
        mail: &MailClaim,
        to: Address,
    ) -> std::result::Result<Message, lettre::error::Error> {
        // The same for every attempt at an item, so that a repetition is recognised as one.
        let message_id = format!(
            "<{}.{}.{}@{}>",
            mail.workspace(),
            mail.id(),
            self.installation,
            self.from.email.domain()
        );
        let by_a_program = HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        );
        let parts =
            MultiPart::alternative_plain_html(mail.text.text.clone(), mail.text.html.clone());
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.text.subject.clone())
            .message_id(Some(message_id))
            .multipart(parts)?;
        message.headers_mut().insert_raw(by_a_program);
        Ok(message)
    }

    async fn deliver(&self, to: Address, message: &[u8]) -> std::result::Result<(), SendError> {
        // What fails before the recipient is named is between this server and the other: it may be mended.
        let again = |error: SmtpError| SendError::Transient(error.to_string());
        let refused = |error: SmtpError| {
            if error.is_permanent() {
                SendError::Permanent(error.to_string())
            } else {
                SendError::Transient(error.to_string())
            }
        };
        let mut connection = self.connected().await.map_err(again)?;
        let from = Some(self.from.email.clone());
        let mut parameters = Vec::new();
        if !AsRef::<str>::as_ref(&to).is_ascii() {
            if !connection
                .server_info()
                .supports_feature(Extension::SmtpUtfEight)
            {
                let reason = "the mail server takes ASCII addresses only (no SMTPUTF8)";
                return Err(SendError::Permanent(reason.to_owned()));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        connection
            .command(Mail::new(from, parameters))
            .await
            .map_err(again)?;
        connection
            .command(Rcpt::new(to, Vec::new()))
            .await
            .map_err(refused)?;
        connection.command(Data).await.map_err(refused)?;
        connection.message(message).await.map_err(refused)?;
        // It is taken; how the other side says farewell changes nothing.
        drop(timeout(CONNECT_TIME_MAX, connection.quit()).await);
        Ok(())
    }

    async fn connected(&self) -> std::result::Result<AsyncSmtpConnection, SmtpError> {
        let SmtpServer {
            encryption,
            host,
            port,
            user_password,
        } = &self.server;
        let from_the_start = self.tls.clone().filter(|_| *encryption == Encryption::Tls);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (host.as_str(), *port),
            Some(CONNECT_TIME_MAX),
            &self.hello,
            from_the_start,
            None,
        )
        .await?;
        if let (Encryption::StartTls, Some(tls)) = (encryption, &self.tls) {
            connection.starttls(tls.clone(), &self.hello).await?;
        }
        if let Some((user, password)) = user_password {
            let credentials = Credentials::new(user.clone(), password.clone());
            connection.auth(MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }
}

fn tls(host: &str, ca_file: Option<&Path>) -> Result<TlsParameters> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca_file {
        let wrong =
            |reason: &str| Failure::usage(format!("mail.ca_file = {}: {reason}", path.display()));
        let pem = fs::read(path).map_err(|error| wrong(&error.to_string()))?;
        let certificate =
            Certificate::from_pem(&pem).map_err(|_| wrong("it holds no certificate in PEM"))?;
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(certificate);
    }
    builder
        .build_rustls()
        .map_err(|error| Failure::usage(format!("mail.smtp_url: TLS cannot be set up: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> std::result::Result<Option<SmtpServer>, String> {
        SmtpServer::parse(
            text,
            &Allowed::parse("relay.intra, 10.1.0.0/16").expect("is right"),
        )
    }

    #[test]
    fn a_server_is_named_with_its_encryption() {
        let read = |text: &str| parse(text).expect("is right").expect("a server");
        assert_eq!(parse(""), Ok(None));
        let server = read("smtp://throng%40x:p%3Aa%2Fss@mail.example.org");
        assert_eq!(
            (server.encryption, server.port),
            (Encryption::StartTls, 587)
        );
        assert_eq!(
            server.user_password,
            Some(("throng@x".into(), "p:a/ss".into()))
        );
        let server = read("smtps://mail.example.org:4465/");
        assert_eq!((server.encryption, server.port), (Encryption::Tls, 4_465));
        for near in [
            "127.0.0.1:2525",
            "localhost",
            "[::1]:25",
            "relay.intra",
            "10.1.2.3",
        ] {
            assert_eq!(
                read(&format!("smtp+plain://{near}")).encryption,
                Encryption::None
            );
        }
        assert_eq!(read("smtp+plain://[::1]:25").host, "::1");
        assert_eq!(
            format!("{server:?}"),
            "SmtpServer(mail.example.org:4465, ***)"
        );
    }

    #[test]
    fn what_is_no_server_says_what_would_be() {
        for wrong in [
            "mail.example.org",
            "mail.example.org:25",
            "http://mail.example.org",
            "smtp://",
            "smtp://host/path",
            "smtp://host?tls=none",
            "smtp://user@host",
            "smtp://:password@host",
            "smtp+plain://mail.example.org",
            "smtp+plain://10.2.0.1",
            "smtp+plain://example.org@10.2.0.1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sender_is_one_address() {
        assert!(sender("Throng <throng@localhost>").is_ok() && sender("a@example.org").is_ok());
        for wrong in [
            "",
            "Throng",
            "a@b, c@d",
            "Throng <a@b>\r\nBcc: eve@example.org",
            "a@b\n",
        ] {
            assert!(sender(wrong).is_err(), "{wrong:?}");
        }
    }
}
