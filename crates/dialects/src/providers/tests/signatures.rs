//! Who is believed. Signatures are made here anew from what the providers' pages say; Twilio's examples are those of its own
//! documentation and libraries.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method},
};
use hmac::{Hmac, Mac};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sha2::{Digest, Sha256};

use super::*;

pub(super) const NOW_MS: i64 = 1_767_225_600_000;
const NOW_S: i64 = NOW_MS / 1_000;

pub(super) fn hook(kind: IntegrationKind) -> Hook {
    Hook {
        workspace: 1,
        integration: 7,
        kind,
        fields: fields(kind),
        url: HOOK.into(),
    }
}

/// A request before it is read.
#[derive(Clone)]
pub(super) struct Raw {
    pub method: Method,
    pub query: Option<String>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn form(pairs: &[(&str, &str)]) -> Raw {
        Raw {
            method: Method::POST,
            query: None,
            headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
            body: outgoing::form(pairs),
        }
    }

    pub fn json(body: &Value) -> Raw {
        Raw {
            method: Method::POST,
            query: None,
            headers: vec![("content-type", "application/json".into())],
            body: body.to_string().into_bytes(),
        }
    }

    pub fn get(query: &str) -> Raw {
        Raw {
            method: Method::GET,
            query: Some(query.into()),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Raw {
        self.headers.push((name, value.into()));
        self
    }

    pub fn query(mut self, query: &str) -> Raw {
        self.query = Some(query.into());
        self
    }

    pub async fn read<T>(&self, ask: impl FnOnce(&HookRequest<'_>) -> T) -> Result<T, Malformed> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let body = Bytes::from(self.body.clone());
        let query = self.query.as_deref();
        let request = HookRequest::read(&self.method, query, &headers, &body).await?;
        Ok(ask(&request))
    }

    async fn verified(&self, hook: &Hook) -> Result<(), Refused> {
        let verified = self.read(|request| verify(hook, request, NOW_MS)).await;
        verified.expect("is read")
    }
}

fn mac(key: &str, message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
    mac.update(message);
    hex(&mac.finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A route's form, signed with a key at a time.
fn mail(key: &str, time: i64) -> Raw {
    let token = "c0ffee";
    let signature = mac(key, format!("{time}{token}").as_bytes());
    Raw::form(&[
        ("sender", "ann@example.org"),
        ("timestamp", &time.to_string()),
        ("token", token),
        ("signature", &signature),
    ])
}

#[tokio::test]
async fn mailgun_signs_time_and_token() {
    let hook = hook(IntegrationKind::Mailgun);
    for (age_s, expected) in [
        (0, Ok(())),
        (9 * 3_600, Ok(())),
        (-15 * 60, Ok(())),
        (9 * 3_600 + 1, Err(Refused::TooOld)),
        (-15 * 60 - 1, Err(Refused::TooOld)),
    ] {
        let signed = mail("sign-1", NOW_S - age_s);
        assert_eq!(signed.verified(&hook).await, expected, "{age_s}");
    }
    let forged = mail("sign-2", NOW_S).verified(&hook).await;
    assert_eq!(forged, Err(Refused::Forged));
    // Somebody else's time under an old signature.
    let mut moved = mail("sign-1", NOW_S - 100_000);
    let text = String::from_utf8(moved.body).expect("text");
    let text = text.replace(&(NOW_S - 100_000).to_string(), &NOW_S.to_string());
    moved.body = text.into_bytes();
    assert_eq!(moved.verified(&hook).await, Err(Refused::Forged));
    let unsigned = Raw::form(&[("sender", "ann@example.org")]);
    assert_eq!(unsigned.verified(&hook).await, Err(Refused::Unsigned));
    for time in ["", "now", "99999999999999999999"] {
        let signature = mac("sign-1", format!("{time}t").as_bytes());
        let odd = [
            ("timestamp", time),
            ("token", "t"),
            ("signature", &*signature),
        ];
        let odd = Raw::form(&odd).verified(&hook).await;
        assert_eq!(odd, Err(Refused::Forged), "{time}");
    }

    let signed = |key: &str| {
        let signature = mac(key, format!("{NOW_S}c0ffee").as_bytes());
        let signature =
            json!({"timestamp": NOW_S.to_string(), "token": "c0ffee", "signature": signature});
        Raw::json(&json!({"signature": signature, "event-data": {"event": "opened"}}))
    };
    assert_eq!(signed("sign-1").verified(&hook).await, Ok(()));
    let forged = signed("other").verified(&hook).await;
    assert_eq!(forged, Err(Refused::Forged));
    let unsigned = Raw::json(&json!({"event-data": {}})).verified(&hook).await;
    assert_eq!(unsigned, Err(Refused::Unsigned));
}

/// The example of Twilio's page on security, and what its Python library makes of the rest.
#[tokio::test]
async fn twilio_signs_url_and_fields() {
    let mut hook = hook(IntegrationKind::Twilio);
    hook.url = "https://mycompany.com/myapp.php".into();
    let call = |caller: &str| {
        Raw::form(&[
            ("To", "+18005551212"),
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", caller),
            ("Digits", "1234"),
            ("From", caller),
        ])
        .query("foo=1&bar=2")
    };
    let signed = |raw: Raw, signature: &str| raw.with("x-twilio-signature", signature);
    for (caller, signature) in [
        ("+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
        ("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("+14158675310", "GvWf1cFY/Q7PnoempGyD5oXAezc="),
    ] {
        let right = signed(call(caller), signature);
        assert_eq!(right.verified(&hook).await, Ok(()));
        let other = signed(call("+12349013031"), signature);
        assert_eq!(other.verified(&hook).await, Err(Refused::Forged));
        let query = right.clone().query("foo=1&bar=3");
        assert_eq!(query.verified(&hook).await, Err(Refused::Forged));
        let query = Raw {
            query: None,
            ..right
        };
        assert_eq!(query.verified(&hook).await, Err(Refused::Forged));
    }
    assert_eq!(call("+1").verified(&hook).await, Err(Refused::Unsigned));

    // With the port and without it, whichever is signed, and whichever is known here.
    let message = Raw::form(&[
        ("MessageSid", "SM1"),
        ("From", "+15551230001"),
        ("To", "+15551230000"),
        ("Body", "Grüße & yes"),
        ("NumMedia", "0"),
    ]);
    for url in [
        "https://hooks.example.org/hooks/twilio/tok",
        "https://hooks.example.org:443/hooks/twilio/tok",
    ] {
        hook.url = url.into();
        for signature in [
            "FF2DaPKnAwcnrLibzn6fipcP1nc=",
            "/RlDbdM3pRHrL5JpcyPJfSgyK3E=",
        ] {
            let right = signed(message.clone(), signature);
            assert_eq!(right.verified(&hook).await, Ok(()), "{url} {signature}");
        }
    }
    hook.url = "https://hooks.example.org:8443/hooks/twilio/tok".into();
    let elsewhere = signed(message.clone(), "/RlDbdM3pRHrL5JpcyPJfSgyK3E=");
    assert_eq!(elsewhere.verified(&hook).await, Err(Refused::Forged));

    // A GET is signed with its query.
    hook.url = "https://hooks.example.org/hooks/twilio/tok".into();
    let get = signed(Raw::get("a=b"), "qZ6rTKrajvlkRHMMefJCRY3WCEg=");
    assert_eq!(get.verified(&hook).await, Ok(()));
    // Which is good for nothing with a form.
    let form = signed(message.query("a=b"), "qZ6rTKrajvlkRHMMefJCRY3WCEg=");
    assert_eq!(form.verified(&hook).await, Err(Refused::Forged));
    // Two signatures are none.
    let twice = signed(get, "qZ6rTKrajvlkRHMMefJCRY3WCEg=");
    assert_eq!(twice.verified(&hook).await, Err(Refused::Unsigned));
}

fn claims(url: &str, body: &[u8]) -> Value {
    let mut claims = json!({"iss": "MessageBird", "nbf": NOW_S, "exp": NOW_S + 60, "jti": "1",
        "url_hash": hex(&Sha256::digest(url.as_bytes()))});
    if !body.is_empty() {
        claims["payload_hash"] = hex(&Sha256::digest(body)).into();
    }
    claims
}

fn jwt(algorithm: Algorithm, key: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("is signed")
}

#[tokio::test]
async fn messagebird_signs_the_hashes_of_url_and_body() {
    let hook = hook(IntegrationKind::MessageBird);
    let raw = Raw::form(&[("id", "1"), ("originator", "15551230001"), ("body", "yes")]);
    let right = claims(HOOK, &raw.body);
    let with = |claims: &Value| {
        let token = jwt(Algorithm::HS256, "sign-2", claims);
        raw.clone().with("messagebird-signature-jwt", token)
    };
    assert_eq!(with(&right).verified(&hook).await, Ok(()));

    let changed = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        with(&claims)
    };
    for (name, value, expected) in [
        ("iss", json!("Mallory"), Refused::Forged),
        ("iss", json!(null), Refused::Forged),
        (
            "url_hash",
            json!(hex(&Sha256::digest("https://x.example"))),
            Refused::Forged,
        ),
        (
            "payload_hash",
            json!(hex(&Sha256::digest("other"))),
            Refused::Forged,
        ),
        ("payload_hash", json!(null), Refused::Forged),
        ("exp", json!(null), Refused::Forged),
        ("exp", json!(NOW_S - 61), Refused::TooOld),
        ("nbf", json!(NOW_S + 61), Refused::TooOld),
    ] {
        let refused = changed(name, value.clone()).verified(&hook).await;
        assert_eq!(refused, Err(expected), "{name} {value}");
    }
    for (name, value) in [("exp", NOW_S - 59), ("nbf", NOW_S + 60)] {
        let leeway = changed(name, value.into()).verified(&hook).await;
        assert_eq!(leeway, Ok(()), "{name}");
    }

    let other = Raw {
        body: b"id=1&originator=15551230002&body=yes".to_vec(),
        ..with(&right)
    };
    assert_eq!(other.verified(&hook).await, Err(Refused::Forged));
    let other = with(&right).query("a=b").verified(&hook).await;
    assert_eq!(other, Err(Refused::Forged));
    assert_eq!(raw.verified(&hook).await, Err(Refused::Unsigned));

    let token = |token: String| raw.clone().with("messagebird-signature-jwt", token);
    let none = format!("eyJhbGciOiJub25lIn0.{}.", {
        let whole = jwt(Algorithm::HS256, "sign-2", &right);
        whole.split('.').nth(1).expect("claims").to_owned()
    });
    for (what, wrong) in [
        ("another key", jwt(Algorithm::HS256, "other", &right)),
        ("no key", none),
        ("no token", "x".into()),
        ("nothing", String::new()),
    ] {
        let refused = token(wrong).verified(&hook).await;
        assert_eq!(refused, Err(Refused::Forged), "{what}");
    }

    let report = "id=1&reference=x&status=delivered";
    let claims = claims(&format!("{HOOK}?{report}"), b"");
    let get = Raw::get(report);
    let signed = jwt(Algorithm::HS512, "sign-2", &claims);
    let get = get.with("messagebird-signature-jwt", signed);
    assert_eq!(get.verified(&hook).await, Ok(()));
}

#[tokio::test]
async fn meta_signs_the_body_as_it_came() {
    let hook = hook(IntegrationKind::WhatsApp);
    let raw = Raw {
        // Spaces and escapes as nobody would write them.
        body: br#"{ "entry" : [], "x": "\u00e9" }"#.to_vec(),
        ..Raw::json(&json!({}))
    };
    let right = format!("sha256={}", mac("app-1", &raw.body));
    let signed = |raw: &Raw, signature: &str| raw.clone().with("x-hub-signature-256", signature);
    assert_eq!(signed(&raw, &right).verified(&hook).await, Ok(()));
    let other = Raw {
        body: br#"{"entry":[],"x":"\u00e9"}"#.to_vec(),
        ..raw.clone()
    };
    assert_eq!(
        signed(&other, &right).verified(&hook).await,
        Err(Refused::Forged)
    );
    let forged = format!("sha256={}", mac("app-2", &raw.body));
    assert_eq!(
        signed(&raw, &forged).verified(&hook).await,
        Err(Refused::Forged)
    );
    for unsigned in ["", "sha1=00", &right[7..]] {
        let refused = signed(&raw, unsigned).verified(&hook).await;
        assert_eq!(refused, Err(Refused::Unsigned), "{unsigned}");
    }
    assert_eq!(raw.verified(&hook).await, Err(Refused::Unsigned));
    let short = signed(&raw, &right[..20]).verified(&hook).await;
    assert_eq!(short, Err(Refused::Forged));
}

#[tokio::test]
async fn meta_is_answered_if_it_knows_the_word() {
    let hook = hook(IntegrationKind::WhatsApp);
    let asked = async |query: &str| {
        let raw = Raw::get(query);
        let answer = raw.read(|request| challenge(&hook, request)).await;
        answer.expect("is read")
    };
    let right = "hub.mode=subscribe&hub.verify_token=word-1&hub.challenge=115%26";
    assert_eq!(asked(right).await.as_deref(), Ok("115&"));
    let wrong = right.replace("word-1", "word-2");
    assert_eq!(asked(&wrong).await, Err(Refused::Forged));
    for missing in [
        "",
        "hub.mode=subscribe",
        "hub.verify_token=word-1&hub.challenge=1",
    ] {
        assert_eq!(asked(missing).await, Err(Refused::Unsigned), "{missing}");
    }
}

#[tokio::test]
async fn without_its_secret_an_integration_believes_nobody() {
    for (kind, name, raw) in [
        (IntegrationKind::Mailgun, "signing_key", mail("", NOW_S)),
        (IntegrationKind::Twilio, "auth_token", Raw::form(&[])),
        (IntegrationKind::MessageBird, "signing_key", Raw::form(&[])),
        (
            IntegrationKind::WhatsApp,
            "app_secret",
            Raw::json(&json!({})),
        ),
    ] {
        let mut hook = hook(kind);
        for value in [Some(String::new()), None] {
            match value {
                Some(value) => hook.fields.insert(name.into(), value),
                None => hook.fields.remove(name),
            };
            let refused = raw.verified(&hook).await;
            assert_eq!(refused, Err(Refused::NoSecret(name)), "{kind:?}");
        }
    }
    let mut hook = hook(IntegrationKind::WhatsApp);
    hook.fields.remove("verify_token");
    let raw = Raw::get("hub.mode=subscribe&hub.verify_token=&hub.challenge=1");
    let answer = raw.read(|request| challenge(&hook, request)).await;
    assert_eq!(
        answer.expect("is read"),
        Err(Refused::NoSecret("verify_token"))
    );
}
