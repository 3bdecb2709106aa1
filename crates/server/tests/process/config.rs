//! Configuration: what wins, and what is refused with a suggestion.

use std::fs;

use serde_json::Value;

use crate::support::{Ended, Process, run, throng};

fn printed(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut all = vec!["config", "print", "--json"];
    all.extend_from_slice(arguments);
    Process::start(throng(&all).envs(environment.iter().copied())).wait()
}

fn values(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON")
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("UTF-8");
    fs::write(
        folder.path().join("throng.toml"),
        "listen = '127.0.0.1:1'\ntoken_life = '1m'\nread_connections = 3\nconnections_max = 5\n[log]\nlevel = 'debug'\n\
         [rate_limit]\ncriteo = '7/min'\n[[hosts]]\nname = 'api.shop.test'\ndialect = 'criteo'\nworkspace = 'shop'\n",
    )
    .expect("is written");
    let environment = [
        ("THRONG_LISTEN", "127.0.0.1:2"),
        ("THRONG_RATE_LIMIT_CRITEO", "8/min"),
        ("THRONG_LOG_LEVEL", "warn"),
    ];
    let flags = [
        "--data",
        data,
        "--listen",
        "127.0.0.1:3",
        "--set",
        "rate_limit.criteo=off",
    ];
    let values = values(&printed(&flags, &environment));
    let of = |key: &str| {
        (
            values[key]["value"].as_str().expect("a value"),
            values[key]["origin"].as_str().expect("an origin"),
        )
    };
    let file = format!("file {data}/throng.toml");
    assert_eq!(of("listen"), ("127.0.0.1:3", "flag --listen"));
    assert_eq!(of("rate_limit.criteo"), ("off", "flag --set"));
    assert_eq!(of("log.level"), ("warn", "environment THRONG_LOG_LEVEL"));
    assert_eq!(of("token_life"), ("1m", file.as_str()));
    assert_eq!(of("read_connections"), ("3", file.as_str()));
    assert_eq!(of("rate_limit.native"), ("6000/min", "default"));
    assert_eq!(values["hosts"]["value"][0]["prefix"], "/criteo");
}

#[test]
fn an_unknown_key_is_refused_with_a_suggestion() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("other.toml");
    let path = file.to_str().expect("UTF-8");
    let refused = |ended: Ended, texts: &[&str]| {
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        for text in texts {
            assert!(ended.stderr.contains(text), "{text}: {}", ended.stderr);
        }
    };
    for (text, expected) in [
        (
            "lisen = '127.0.0.1:1'",
            ["other.toml", "lisen", "did you mean listen?"],
        ),
        (
            "[rate_limit]\ncritoe = 'off'",
            [
                "other.toml",
                "rate_limit.critoe",
                "did you mean rate_limit.criteo?",
            ],
        ),
        ("listen = [1]", ["other.toml", "listen", "must be"]),
        ("listen = ", ["other.toml", "line 1", "column"]),
    ] {
        fs::write(&file, text).expect("is written");
        refused(printed(&["--config", path], &[]), &expected);
    }
    refused(
        printed(&[], &[("THRONG_RATE_LIMIT_CRITIO", "off")]),
        &["did you mean THRONG_RATE_LIMIT_CRITEO?"],
    );
    refused(
        printed(&["--set", "log.levl=info"], &[]),
        &["log.levl", "did you mean log.level?"],
    );
    refused(
        printed(&["--rate-limit", "criteo=9"], &[]),
        &["rate_limit.criteo", "250/min"],
    );
    refused(
        printed(&["--config", "/nowhere/throng.toml"], &[]),
        &["/nowhere/throng.toml"],
    );
    refused(
        run(&["serve", "--listen", "0.0.0.0:0"]),
        &["allow_plain_http"],
    );
    refused(run(&["serve", "--listn", "127.0.0.1:0"]), &["--listen"]);
}

#[test]
fn what_is_not_a_key_may_stand_in_the_environment() {
    let others = [
        ("THRONG_TOKEN", "t"),
        ("THRONG_URL", "u"),
        ("THRONG_TEST_KILLS", "9"),
        ("THRONG_BIN", "b"),
    ];
    values(&printed(&[], &others));
}

#[test]
fn a_password_is_not_printed() {
    let url = "postgres://me:s3cret@db.test/throng?sslpassword=s3cret";
    let json = printed(&[], &[("THRONG_DATABASE_URL", url)]);
    assert_eq!(
        values(&json)["database_url"]["value"],
        "postgres://me:***@db.test/throng?sslpassword=***"
    );
    let text = Process::start(throng(&["config", "print"]).env("THRONG_DATABASE_URL", url)).wait();
    assert!(
        text.stdout.contains("environment THRONG_DATABASE_URL"),
        "{}",
        text.stdout
    );
    assert!(!format!("{json:?} {text:?}").contains("s3cret"));
}

#[test]
fn a_mail_server_is_checked_and_its_password_never_printed() {
    let set = |value: &str| printed(&["--set", &format!("mail.smtp_url={value}")], &[]);
    let shown = set("smtp://throng:canary@mail.test:587");
    assert_eq!(
        values(&shown)["mail.smtp_url"]["value"],
        "smtp://throng:***@mail.test:587"
    );
    for (wrong, reason) in [
        ("smtp://throng:canary@mail.test/x", "smtps://HOST:PORT"),
        ("http://throng:canary@mail.test", "smtps://HOST:PORT"),
        ("smtp+plain://throng:canary@mail.test", "outbound.allow"),
    ] {
        let refused = set(wrong);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{}", refused.stderr);
        assert!(!refused.stderr.contains("canary"), "{}", refused.stderr);
    }
    let url = "mail.smtp_url=smtp+plain://relay.test";
    let allowed = printed(&["--set", url, "--set", "outbound.allow=relay.test"], &[]);
    assert_eq!(allowed.code, Some(0), "{}", allowed.stderr);
    for (key, reason) in [
        ("mail.from=Throng", "Throng <throng@example.org>"),
        ("outbound.allow=10.0.0.0/99", "10.1.0.0/16"),
        ("trusted_proxies=proxy.test", "10.1.0.0/16"),
    ] {
        let refused = printed(&["--set", key], &[]);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    }
}

#[test]
fn providers_of_channels_are_where_the_operator_says() {
    let shown = printed(&[], &[]);
    for (key, usual) in [
        ("channels.mailgun_url", "https://api.mailgun.net"),
        ("channels.twilio_url", "https://api.twilio.com"),
        ("channels.messagebird_url", "https://rest.messagebird.com"),
        ("channels.whatsapp_url", "https://graph.facebook.com/v23.0"),
        ("channels.pending_days", "7"),
    ] {
        assert_eq!(values(&shown)[key]["value"], usual);
    }
    for right in [
        "channels.mailgun_url=https://api.eu.mailgun.net/",
        "channels.twilio_url=http://127.0.0.1:4010/twilio",
        "channels.whatsapp_url=http://[::1]:4010",
        "channels.pending_days=1",
        "channels.pending_days=90",
    ] {
        let taken = printed(&["--set", right], &[]);
        assert_eq!(taken.code, Some(0), "{right}: {}", taken.stderr);
    }
    let url = "it must be a URL such as https://api.example.com";
    let number = "it must be a number from 1 to 90";
    for (wrong, reason) in [
        ("channels.mailgun_url=", url),
        ("channels.mailgun_url=api.mailgun.net", url),
        ("channels.twilio_url=ftp://api.twilio.com", url),
        ("channels.twilio_url=https://", url),
        ("channels.twilio_url=https://:443", url),
        ("channels.messagebird_url=https://a.test/?x=y", url),
        ("channels.messagebird_url=https://a.test#x", url),
        ("channels.whatsapp_url=https://me@a.test", url),
        ("channels.whatsapp_url=https://a b.test", url),
        ("channels.pending_days=0", number),
        ("channels.pending_days=91", number),
        ("channels.pending_days=a week", number),
    ] {
        let refused = printed(&["--set", wrong], &[]);
        assert_eq!(refused.code, Some(2), "{wrong}: {}", refused.stderr);
        assert!(
            refused.stderr.contains(reason),
            "{wrong}: {}",
            refused.stderr
        );
    }
}
