//! Whose an address is: it becomes a key of the person who confirmed it, where nobody has it; and channels are sets.

use domain::{AudienceNew, AudienceRef, Kind, Rule, StructureNew, Window};

use super::*;

async fn person_of(domain: &Domain, kind: Kind, value: &str) -> Vec<u32> {
    let head = domain.store().head_seq(1).await.expect("a head");
    let new = StructureNew::new(format!("find {value} {head}"));
    let structure = domain.structure_create(&context("s"), new).await;
    let structure = structure.expect("a structure");
    let mut batch = domain.batch(&Caller::server(1), 1).await.expect("a batch");
    batch.push(kind, "", value);
    let node = AudienceRef::Id(structure.id);
    let added = domain
        .member_add(&context("a"), node.clone(), batch.finish())
        .await;
    added.expect("is added");
    let caller = Caller::server(1);
    let page = domain.member_page(&caller, node, None, false, Window::After(0), 10);
    let page = page.await.expect("a page");
    page.members.iter().map(|member| member.person).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_gives_the_address_to_the_person_once_it_is_confirmed() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        scene.linked().await;
        assert_eq!(
            person_of(domain, Kind::Phone, PHONE).await,
            [scene.ann.person]
        );
        let mailgun = integration(domain, IntegrationKind::Mailgun).await;
        let mail = ClientNew {
            kind: IntegrationKind::Mailgun,
            address: "Ann@Example.org".into(),
            ..link(mailgun, scene.conversation, Confirmation::Immediate)
        };
        created(domain, "ann", mail).await;
        send(domain).await;
        assert_eq!(
            person_of(domain, Kind::Email, MAIL).await,
            [scene.ann.person]
        );
        // A record of that address elsewhere is the same person.
        let other = person_at(domain, "elsewhere", "a1", Some(MAIL)).await;
        assert_eq!(other.person, scene.ann.person);
        let clashes = domain.conflict_list(&Caller::server(1), 0, 10).await;
        assert_eq!(clashes.expect("lists"), []);
        end(&house, scene.domain).await;
    }
}

/// What only waits says nothing of who somebody is.
#[tokio::test(flavor = "multi_thread")]
async fn linking_gives_nothing_away_while_it_waits() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        created(domain, "ann", scene.link(Confirmation::Prompt)).await;
        send(domain).await;
        scene.write("1", "no").await;
        let other = person_of(domain, Kind::Phone, PHONE).await;
        assert_ne!(other, [scene.ann.person]);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_an_address_of_somebody_else_is_noted_and_merges_nobody() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let owner = person_of(domain, Kind::Phone, PHONE).await[0];
        assert_ne!(owner, scene.ann.person);
        scene.linked().await;
        assert_eq!(person_of(domain, Kind::Phone, PHONE).await, [owner]);
        let clashes = domain
            .conflict_list(&Caller::server(1), 0, 10)
            .await
            .expect("lists");
        let [clash] = clashes.as_slice() else {
            panic!("{clashes:?}")
        };
        let pair = (scene.ann.person.min(owner), scene.ann.person.max(owner));
        assert_eq!((clash.first_person, clash.second_person), pair);
        assert_eq!((clash.kind.as_str(), clash.times), ("phone", 1));
        // The link is ann's all the same, and she is on the channel.
        assert_eq!(stand(domain, "ann").await, ["active"]);
        assert_eq!(
            on_channel(domain, Channel::Twilio).await,
            [scene.ann.person]
        );
        end(&house, scene.domain).await;
    }
}

/// The people of a smart audience whose rule names the channel.
async fn on_channel(domain: &Domain, channel: Channel) -> Vec<u32> {
    let name = format!("on {}", domain.store().head_seq(1).await.expect("a head"));
    let structure = domain
        .structure_create(&context("s"), StructureNew::new(&name))
        .await;
    let structure = structure.expect("a structure").id;
    let json = format!("{{\"channel\":\"{}\"}}", channel.as_str());
    let rule: Rule = serde_json::from_str(&json).expect("a rule");
    assert_eq!(rule, Rule::Channel(channel));
    let new = AudienceNew {
        rule: Some(rule),
        ..AudienceNew::new(structure, &name)
    };
    let smart = domain
        .audience_create(&context("c"), new)
        .await
        .expect("is made")
        .id;
    let node = AudienceRef::Id(smart);
    let caller = Caller::server(1);
    let page = domain.member_page(&caller, node, None, false, Window::After(0), 100);
    let page = page.await.expect("a page");
    assert_eq!(page.total, count(domain, channel).await);
    page.members.iter().map(|member| member.person).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_channels_are_the_people_with_an_active_client() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let bob = person(domain, "bob").await;
        let bobs = talk(domain, &["bob"]).await;
        let at = |number: usize, conversation| ClientNew {
            address: format!("+1212555000{number}"),
            ..link(scene.twilio, conversation, Confirmation::Immediate)
        };
        let one = created(domain, "ann", at(1, scene.conversation)).await;
        let two = created(domain, "ann", at(2, scene.conversation)).await;
        created(domain, "bob", at(3, bobs)).await;
        assert_eq!(on_channel(domain, Channel::Twilio).await, Vec::<u32>::new());
        send(domain).await;
        let both = [scene.ann.person, bob.person];
        assert_eq!(on_channel(domain, Channel::Twilio).await, both);
        assert_eq!(
            on_channel(domain, Channel::WhatsApp).await,
            Vec::<u32>::new()
        );
        remove(domain, "ann", one).await.expect("is removed");
        assert_eq!(on_channel(domain, Channel::Twilio).await, both);
        write(domain, scene.twilio, "+12125550002", "1", "STOP").await;
        assert_eq!(on_channel(domain, Channel::Twilio).await, [bob.person]);
        remove(domain, "ann", two).await.expect("is removed");
        assert_eq!(on_channel(domain, Channel::Twilio).await, [bob.person]);
        domain
            .client_sign_in(&context("s"), SOURCE, "ann", "d", None)
            .await
            .expect("signs in");
        assert_eq!(on_channel(domain, Channel::Sdk).await, [scene.ann.person]);
        let domain = scene.domain;
        close(domain).await;
        // They are there again when the server starts.
        let domain = house.open().await;
        assert_eq!(on_channel(&domain, Channel::Twilio).await, [bob.person]);
        assert_eq!(on_channel(&domain, Channel::Sdk).await, [scene.ann.person]);
        end(&house, domain).await;
    }
}
