//! Keys of programs: what they may do, how many there are, and that they end.

use domain::{CredentialNew, CredentialSecret, CredentialView, Mount};

use super::*;

const HERE: Mount = Mount { workspace: None };

async fn make(
    domain: &Domain,
    context: &Context,
    scopes: &str,
    integration: Option<i64>,
) -> Result<CredentialSecret> {
    domain
        .app_key_create(context, "chat", "Mine", scopes, integration)
        .await
}

async fn list(domain: &Domain, integration: Option<i64>) -> Vec<CredentialView> {
    let listed = domain
        .app_key_list(&program(1).caller, "chat", integration)
        .await;
    listed.expect("lists")
}

async fn enter(domain: &Domain, key: &CredentialSecret) -> Result<Caller> {
    let (id, secret) = (&key.credential.client_id, &key.secret);
    domain.caller_by_key(HERE, "chat", id, secret).await
}

/// A credential as the command line makes it.
async fn credential(domain: &Domain, scopes: &str, keep_secret: bool) -> CredentialSecret {
    let new = CredentialNew {
        dialect: "chat".into(),
        name: "account".into(),
        scopes: scopes.into(),
        structures: None,
        expires: Some(START_MS + 10_000),
        keep_secret,
    };
    let made = domain
        .credential_create(&context("credential"), new, &["chat"])
        .await;
    made.expect("a credential")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_key_lets_in_until_it_is_deleted() {
    for house in House::each() {
        let domain = house.open().await;
        let key = make(&domain, &program(1), "", None).await.expect("a key");
        assert_eq!(key.credential.name, "Mine");
        assert!(!format!("{key:?}").contains(&key.secret));
        let caller = enter(&domain, &key).await.expect("a caller");
        assert_eq!(
            (caller.workspace, caller.credential),
            (1, key.credential.id)
        );
        assert_eq!(caller.integration, None);
        assert!(KEY.iter().all(|scope| caller.scopes.has(*scope)));
        assert!(!caller.scopes.has(Scope::Admin) && !caller.administers());
        let listed = list(&domain, None).await;
        assert_eq!(listed, std::slice::from_ref(&key.credential));
        let one = domain
            .app_key_get(&program(1).caller, "chat", None, key.credential.id)
            .await;
        assert_eq!(one.as_ref(), Ok(&key.credential));

        let wrong = async |mount, dialect: &str, id: &str, secret: &str| {
            let entered = domain.caller_by_key(mount, dialect, id, secret).await;
            assert_eq!(refused(entered), "unauthenticated", "{dialect} {id}");
        };
        let id = key.credential.client_id.as_str();
        let other = make(&domain, &program(1), "", None).await.expect("a key");
        wrong(HERE, "chat", id, &other.secret).await;
        wrong(HERE, "chat", id, "").await;
        wrong(HERE, "chat", id, &key.secret[..41]).await;
        wrong(HERE, "chat", &other.credential.client_id, &key.secret).await;
        wrong(HERE, "chat", "", &key.secret).await;
        wrong(HERE, "chat", "000000010100000000ffffff", &key.secret).await;
        wrong(HERE, "chat", &id.replacen("01", "02", 2), &key.secret).await;
        wrong(HERE, "native", id, &key.secret).await;
        wrong(Mount { workspace: Some(2) }, "chat", id, &key.secret).await;

        let delete = async |integration, id| {
            domain
                .app_key_delete(&program(1), "chat", integration, id)
                .await
        };
        let elsewhere = domain
            .app_key_delete(&program(1), "other", None, key.credential.id)
            .await;
        assert_eq!(refused(elsewhere), "no credential");
        let own = custom(&domain).await;
        let foreign = delete(Some(own.id), key.credential.id).await;
        assert_eq!(refused(foreign), "no credential");
        assert!(enter(&domain, &key).await.is_ok());
        delete(None, key.credential.id).await.expect("is deleted");
        assert_eq!(refused(enter(&domain, &key).await), "unauthenticated");
        assert!(enter(&domain, &other).await.is_ok());
        assert_eq!(
            list(&domain, None).await,
            std::slice::from_ref(&other.credential)
        );
        assert_eq!(
            refused(delete(None, key.credential.id).await),
            "no credential"
        );
        let gone = domain
            .app_key_get(&program(1).caller, "chat", None, key.credential.id)
            .await;
        assert_eq!(refused(gone), "no credential");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_key_gives_no_more_than_its_maker_has() {
    for house in House::each() {
        let domain = house.open().await;
        let few = [Scope::Integrations, Scope::Channels];
        let few = Context::new(caller(1, &few), "few");
        let key = make(&domain, &few, "channels people:write admin", None).await;
        assert_eq!(key.expect("a key").credential.scopes, "channels");
        let everything = Context::new(caller(1, &[Scope::Admin, Scope::Installation]), "all");
        let key = make(&domain, &everything, "", None).await.expect("a key");
        let scopes = Scopes::parse(&key.credential.scopes).expect("scopes");
        assert!(scopes.has(Scope::Channels) && scopes.has(Scope::Integrations));
        assert!(!scopes.has(Scope::Admin) && !scopes.has(Scope::Installation));

        let before = seq(&domain).await;
        let odd = make(&domain, &few, "channels everything", None).await;
        assert_eq!(refused(odd), "scopes unknown_scope");
        for name in ["", " ", "a\nb", &"x".repeat(101)] {
            let made = domain
                .app_key_create(&program(1), "chat", name, "", None)
                .await;
            assert_eq!(refused(made), "display_name malformed");
        }
        assert_eq!(seq(&domain).await, before, "nothing was stored");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_there_are_ten_keys_and_ten_of_an_integration() {
    for house in House::each() {
        let domain = house.open().await;
        let (own, other) = (custom(&domain).await, custom(&domain).await);
        for integration in [None, Some(own.id)] {
            let mut last = None;
            for _ in 0..10 {
                let made = make(&domain, &program(1), "channels", integration).await;
                last = Some(made.expect("a key"));
            }
            let before = seq(&domain).await;
            let eleventh = make(&domain, &program(1), "channels", integration).await;
            assert_eq!(refused(eleventh), "key too_many");
            assert_eq!(seq(&domain).await, before, "nothing was stored");
            assert_eq!(list(&domain, integration).await.len(), 10);
            let last = last.expect("a key");
            let caller = enter(&domain, &last).await.expect("a caller");
            assert_eq!(caller.integration, integration);
            domain
                .app_key_delete(&program(1), "chat", integration, last.credential.id)
                .await
                .expect("is deleted");
            let again = make(&domain, &program(1), "channels", integration).await;
            assert!(again.is_ok(), "there is room again");
        }
        assert_eq!(list(&domain, Some(other.id)).await, []);

        let unknown = make(&domain, &program(1), "", Some(4_711)).await;
        assert_eq!(refused(unknown), "no integration");
        let mail = mailgun(&domain).await;
        let of_mail = make(&domain, &program(1), "", Some(mail.id)).await;
        assert_eq!(refused(of_mail), "integration other_type");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_what_administers_is_no_key_of_a_program() {
    for house in House::each() {
        let domain = house.open().await;
        let account = credential(&domain, "admin channels", true).await;
        let key = credential(&domain, "channels integrations", true).await;
        assert_eq!(
            list(&domain, None).await,
            std::slice::from_ref(&key.credential)
        );
        let delete = domain
            .app_key_delete(&program(1), "chat", None, account.credential.id)
            .await;
        assert_eq!(refused(delete), "no credential");
        let caller = enter(&domain, &account).await.expect("still lets in");
        assert!(caller.administers());
        // It expires as every credential.
        house.clock.advance(SECOND * 10);
        for key in [account, key] {
            assert_eq!(refused(enter(&domain, &key).await), "unauthenticated");
        }
        close(domain).await;
    }
}
