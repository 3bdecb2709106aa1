//! Clients of people's own programs: they sign in and out by themselves.

use super::*;

async fn sign_in(domain: &Domain, who: &str, device: &str) -> (Record, Client) {
    let info = Some(format!("{{\"device\":\"{device}\"}}"));
    let signed = domain
        .client_sign_in(&context("in"), SOURCE, who, device, info)
        .await;
    signed.expect("signs in")
}

async fn sign_out(domain: &Domain, who: &str, device: &str) -> Result<()> {
    domain
        .client_sign_out(&context("out"), SOURCE, who, device)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_programs_sign_in_and_out() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        listen(domain).await;
        let (record, phone) = sign_in(domain, "ann", "phone").await;
        assert_eq!(record.id, scene.ann.id);
        assert_eq!(
            (phone.channel, phone.status),
            (Channel::Sdk, ClientStatus::Active)
        );
        assert_eq!((phone.integration, &phone.address), (None, &None));
        assert_eq!(phone.info.as_deref(), Some("{\"device\":\"phone\"}"));
        house.clock.advance(Duration::from_secs(1));
        let (_, again) = sign_in(domain, "ann", "phone").await;
        assert_eq!((again.id, again.created), (phone.id, phone.created));
        assert_eq!(again.last_seen, Some(house.clock.now_ms()));
        let (_, tablet) = sign_in(domain, "ann", "tablet").await;
        assert_ne!(tablet.id, phone.id);
        assert_eq!(count(domain, Channel::Sdk).await, 1, "one person");
        // Somebody new, on the same device: a client of their own.
        let (bob, bobs) = sign_in(domain, "bob", "phone").await;
        assert!(bob.reference.as_deref() == Some("bob") && bob.active);
        assert_eq!(bobs.record, bob.id);
        assert_eq!(count(domain, Channel::Sdk).await, 2);
        assert_eq!(
            lines(domain).await,
            [
                "client.added ann active signin",
                "client.added ann active signin",
                "client.added bob active signin"
            ]
        );
        assert_eq!(code(remove(domain, "ann", phone.id).await), "conflict");
        assert_eq!(stand(domain, "ann").await, ["active", "active"]);
        // In a conversation it is among its person's clients, until it signs out.
        let mut new = conversation_of(&["ann"]);
        new.participants[0].1 = true;
        let talk = domain.conversation_create(&context("c"), SOURCE, new).await;
        let talk = talk.expect("a conversation").id;
        assert_eq!(reached(domain, talk, record.id).await, [tablet.id]);
        assert_eq!(code(sign_out(domain, "bob", "tablet").await), "client");
        assert_eq!(code(sign_out(domain, "eve", "tablet").await), "record");
        sign_out(domain, "ann", "tablet").await.expect("signs out");
        assert_eq!(reached(domain, talk, record.id).await, Vec::<i64>::new());
        assert_eq!(count(domain, Channel::Sdk).await, 2);
        sign_out(domain, "ann", "phone").await.expect("signs out");
        assert_eq!(count(domain, Channel::Sdk).await, 1);
        assert_eq!(code(sign_out(domain, "ann", "phone").await), "client");
        assert_eq!(
            lines(domain).await,
            [
                "client.removed ann active signout",
                "client.removed ann active signout"
            ]
        );
        sign_in(domain, "bob", "x").await;
        let gone = domain
            .record_delete(&context("d"), SOURCE, reference("bob"))
            .await;
        gone.expect("is deleted");
        assert_eq!(count(domain, Channel::Sdk).await, 0);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_programs_are_refused_what_is_malformed() {
    let house = House::sqlite();
    let domain = house.open().await;
    let seq = domain.store().head_seq(1).await.expect("a head");
    let long = "x".repeat(129);
    let many = "x".repeat(1_025);
    for (who, device) in [
        ("ann", ""),
        ("ann", long.as_str()),
        ("ann", "a\0b"),
        ("", "phone"),
        (many.as_str(), "phone"),
        ("a\0b", "phone"),
    ] {
        let signed = domain
            .client_sign_in(&context("in"), SOURCE, who, device, None)
            .await;
        assert!(
            matches!(signed, Err(Error::Invalid(_))),
            "{who:?} {device:?} {signed:?}"
        );
    }
    let info = Some(format!("\"{}\"", "x".repeat(4_096)));
    let signed = domain
        .client_sign_in(&context("in"), SOURCE, "ann", "d", info)
        .await;
    assert_eq!(code(signed), "too_large");
    assert_eq!(domain.store().head_seq(1).await.expect("a head"), seq);
    end(&house, domain).await;
}
