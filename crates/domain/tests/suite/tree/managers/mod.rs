//! Managers: accounts without a scope, and what their person's grants on a structure or audience let them do.

mod giving;

use domain::{
    AccountChange, AccountNew, AccountRef, Entrance, Excess, Grants, KeyNew, Kind, Partial,
    Permissions, Refused, Rule,
};

use super::*;

/// A verified account without any right.
async fn account(domain: &Domain, who: &str) -> i64 {
    let new = AccountNew {
        verified: true,
        ..AccountNew::of(email(who))
    };
    let entrance = Entrance::Password("a fine long password".into());
    let made = domain.account_create(&context("a"), new, entrance).await;
    made.expect("is made").account.id
}

/// Who calls with a new key of an account.
async fn key(domain: &Domain, account: i64, permissions: Option<&str>) -> Context {
    let new = KeyNew {
        label: "key".into(),
        dialect: "native".into(),
        permissions: permissions.map(|text| Permissions::parse(text).expect("some")),
        expires: None,
    };
    let context = context("key");
    let made = domain.key_create(&context, account, new, &["native"]).await;
    let secret = made.expect("a key").secret;
    let caller = domain.caller_by_api_token(Mount::default(), &secret).await;
    Context::new(caller.expect("a caller"), "manager")
}

async fn grant(
    domain: &Domain,
    by: &Context,
    audience: i64,
    who: &str,
    grants: Grants,
) -> Result<Partial> {
    let node = AudienceRef::Id(audience);
    domain
        .manager_put(by, node, None, vec![(email(who), grants)], false)
        .await
}

async fn revoke(domain: &Domain, by: &Context, audience: i64, who: &str) -> Result<()> {
    let node = AudienceRef::Id(audience);
    domain.manager_remove(by, node, None, &email(who)).await
}

/// Two structures, the first with an audience whose member is Ann.
struct Place {
    root: i64,
    list: i64,
    other: i64,
}

async fn place(domain: &Domain) -> Place {
    let (root, other) = (
        structure(domain, "root").await,
        structure(domain, "other").await,
    );
    let list = child(domain, root, "list").await;
    record(domain, "ann").await;
    add(domain, list, &["ann"]).await;
    Place { root, list, other }
}

/// Does every verb that grants are about to the audience, as its state allows; answers those that were let through.
async fn can(domain: &Domain, by: &Context, place: &Place, list: i64) -> Vec<&'static str> {
    let at = || AudienceRef::Id(list);
    let caller = &by.caller;
    let mut done = Vec::new();
    let mut note = |verb: &'static str, refused: Option<Error>| match refused {
        None => done.push(verb),
        Some(Error::Forbidden(Denied::Scope(_) | Denied::Permission)) => {}
        Some(error) => panic!("{verb}: {error:?}"),
    };
    note("see", domain.audience_counted(caller, at()).await.err());
    note("find", domain.audience_find(caller, at()).await.err());
    let mut question = domain.question(caller, 1).await.expect("a question");
    let asked = question.identifier(Kind::Email, "", &email("ann"));
    asked.expect("is valid");
    question.end_person();
    note(
        "ask",
        domain
            .member_contains(caller, AudienceRef::Id(list), question.finish())
            .await
            .err(),
    );
    let page = domain.member_page(caller, at(), Some(SOURCE), false, Window::Offset(0), 9);
    note("list", page.await.err());
    let some = batch(domain, &["bob"]).await;
    note(
        "add",
        domain
            .member_add(by, AudienceRef::Id(list), some)
            .await
            .err(),
    );
    let put = domain
        .member_put(by, at(), SOURCE, vec![email("ann")], false)
        .await;
    note("put", put.err());
    let some = batch(domain, &["bob"]).await;
    note(
        "remove",
        domain
            .member_remove(by, AudienceRef::Id(list), some)
            .await
            .err(),
    );
    let managers = domain.manager_list(caller, at(), None).await;
    note("managers", managers.err());
    note(
        "appoint",
        grant(domain, by, list, "ann", Grants::NONE).await.err(),
    );
    let dismissed = revoke(domain, by, list, "ann").await;
    note("dismiss", dismissed.err());
    let named = AudienceChange {
        description: Some(Some("said".into())),
        ..AudienceChange::default()
    };
    note(
        "change",
        domain.audience_change(by, at(), named, false).await.err(),
    );
    let new = AudienceNew::new(place.root, "made by a manager");
    let made = domain.audience_create(by, new).await;
    if let Ok(made) = &made {
        let gone = domain.audience_remove(by, AudienceRef::Id(made.id)).await;
        note("delete", gone.err());
    }
    note("create", made.err());
    done
}

/// What one grant lets its manager do.
fn allowed(grant: &str) -> Vec<&'static str> {
    let seen = vec!["see", "find"];
    let more: &[&str] = match grant {
        "insights" => &["ask"],
        "view_people" => &["ask", "list"],
        "manage_members" => &["ask", "list", "add", "put", "remove"],
        "manage_audiences" => &["change", "delete", "create"],
        "add_managers" => &["managers", "appoint", "dismiss"],
        "manage_content" | "assignments" | "manage_people" => &[],
        other => panic!("{other}"),
    };
    [seen, more.to_vec()].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_each_grant_lets_do_what_it_says_and_nothing_else() {
    for house in House::each() {
        let domain = house.open().await;
        let place = place(&domain).await;
        record(&domain, "max").await;
        let max = account(&domain, "max").await;
        let by = key(&domain, max, None).await;
        let server = context("server");
        assert!(can(&domain, &by, &place, place.list).await.is_empty());
        for (name, one) in Grants::ALL {
            grant(&domain, &server, place.root, "max", one)
                .await
                .expect("is given");
            let found = can(&domain, &by, &place, place.list).await;
            assert_eq!(found, allowed(name), "{name}, by the structure");
            revoke(&domain, &server, place.root, "max")
                .await
                .expect("is taken");

            let given = grant(&domain, &server, place.list, "max", one).await;
            if ["manage_audiences", "add_managers"].contains(&name) {
                assert_eq!(code(given), "not_a_structure", "{name}");
                continue;
            }
            given.expect("is given");
            let found = can(&domain, &by, &place, place.list).await;
            assert_eq!(found, allowed(name), "{name}, by the audience");
            // Not in its structure, nor in one beside it.
            let sibling = child(&domain, place.root, "sibling").await;
            for id in [place.root, sibling, place.other] {
                let found = domain.audience_find(&by.caller, AudienceRef::Id(id)).await;
                assert_eq!(code(found), "scope");
                let some = batch(&domain, &["bob"]).await;
                assert_eq!(
                    code(domain.member_add(&by, AudienceRef::Id(id), some).await),
                    "scope"
                );
            }
            let gone = domain.audience_delete(&server, sibling).await;
            gone.expect("is deleted");
            revoke(&domain, &server, place.list, "max")
                .await
                .expect("is taken");
            assert!(
                can(&domain, &by, &place, place.list).await.is_empty(),
                "at once"
            );
        }
        // A manager without a grant may nothing; both places together give both.
        grant(&domain, &server, place.list, "max", Grants::NONE)
            .await
            .expect("is one");
        assert!(can(&domain, &by, &place, place.list).await.is_empty());
        grant(&domain, &server, place.list, "max", Grants::INSIGHTS)
            .await
            .expect("is given");
        grant(&domain, &server, place.root, "max", Grants::ADD_MANAGERS)
            .await
            .expect("is given");
        let both = ["see", "find", "ask", "managers", "appoint", "dismiss"];
        assert_eq!(can(&domain, &by, &place, place.list).await, both);
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_manager_moves_only_between_structures_that_are_theirs() {
    for house in House::each() {
        let domain = house.open().await;
        let place = place(&domain).await;
        record(&domain, "max").await;
        let by = key(&domain, account(&domain, "max").await, None).await;
        let server = context("server");
        let all = Grants::ALL
            .iter()
            .fold(Grants::NONE, |all, (_, one)| all.with(*one));
        grant(&domain, &server, place.root, "max", all)
            .await
            .expect("is given");
        let at = AudienceRef::Id;
        let shift = async |id: i64, to: i64, dry_run: bool| {
            domain
                .audience_change(&by, at(id), parent(to), dry_run)
                .await
        };
        for dry_run in [true, false] {
            assert_eq!(code(shift(place.list, place.other, dry_run).await), "scope");
        }
        let foreign = child(&domain, place.other, "foreign").await;
        assert_eq!(code(shift(foreign, place.root, false).await), "scope");
        grant(&domain, &server, place.other, "max", Grants::MANAGE_MEMBERS)
            .await
            .expect("is given");
        assert_eq!(code(shift(place.list, place.other, false).await), "scope");
        grant(
            &domain,
            &server,
            place.other,
            "max",
            Grants::MANAGE_AUDIENCES,
        )
        .await
        .expect("is given");
        assert!(shift(place.list, place.other, false).await.is_ok());
        assert!(shift(place.list, place.root, false).await.is_ok());
        // The structure itself is not a manager's, whatever they were given.
        let named = AudienceChange {
            name: Some("mine".into()),
            ..AudienceChange::default()
        };
        assert_eq!(
            code(
                domain
                    .audience_change(&by, at(place.root), named.clone(), false)
                    .await
            ),
            "scope"
        );
        assert_eq!(
            code(domain.structure_update(&by, place.root, named).await),
            "scope"
        );
        assert_eq!(
            code(domain.audience_remove(&by, at(place.root)).await),
            "scope"
        );
        assert_eq!(
            code(domain.structure_delete(&by, place.root, true).await),
            "scope"
        );
        let control = AudienceChange {
            control: Some(Control::Api),
            ..AudienceChange::default()
        };
        assert_eq!(
            code(
                domain
                    .audience_change(&by, at(place.root), control, false)
                    .await
            ),
            "scope"
        );
        // Their list is what they manage, and a console's structure is closed to their key.
        let listed = domain
            .audience_list(&by.caller, None, 0, 10)
            .await
            .expect("lists");
        let listed: Vec<i64> = listed.iter().map(|one| one.audience.id).collect();
        assert_eq!(listed, [place.list, foreign]);
        revoke(&domain, &server, place.other, "max")
            .await
            .expect("is taken");
        let listed = domain
            .audience_list(&by.caller, None, 0, 10)
            .await
            .expect("lists");
        assert_eq!(listed.len(), 1);
        let console = AudienceChange {
            control: Some(Control::Console),
            ..AudienceChange::default()
        };
        change(&domain, place.root, console)
            .await
            .expect("is changed");
        let some = batch(&domain, &["bob"]).await;
        assert_eq!(
            code(
                domain
                    .member_add(&by, AudienceRef::Id(place.list), some)
                    .await
            ),
            "control"
        );
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_only_a_verified_account_with_all_of_its_rights_is_a_manager() {
    for house in House::each() {
        let domain = house.open().await;
        let place = place(&domain).await;
        record(&domain, "max").await;
        let max = account(&domain, "max").await;
        let server = context("server");
        grant(&domain, &server, place.list, "max", Grants::MANAGE_MEMBERS)
            .await
            .expect("is given");
        let sees = async |by: &Context| {
            let found = domain
                .audience_find(&by.caller, AudienceRef::Id(place.list))
                .await;
            found.is_ok()
        };
        let update = async |change: AccountChange| {
            let which = AccountRef::Id(max);
            let done = domain
                .account_update(&server, which, change, Excess::Refuse)
                .await;
            done.expect("is changed");
        };
        assert!(sees(&key(&domain, max, None).await).await);
        let verify = |verified| AccountChange {
            verified: Some(verified),
            ..AccountChange::default()
        };
        update(verify(false)).await;
        assert!(!sees(&key(&domain, max, None).await).await, "not verified");
        update(verify(true)).await;
        assert!(sees(&key(&domain, max, None).await).await);
        // The address decides: another one is another person.
        let moved = AccountChange {
            email: Some(email("other")),
            verified: Some(true),
            ..AccountChange::default()
        };
        update(moved).await;
        assert!(
            !sees(&key(&domain, max, None).await).await,
            "another address"
        );
        let back = AccountChange {
            email: Some(email("MAX")),
            verified: Some(true),
            ..AccountChange::default()
        };
        update(back).await;
        // A key that names what it lets through is not the account, though it names all, or nothing of an account without rights.
        assert!(!sees(&key(&domain, max, Some("")).await).await);
        let rights = AccountChange {
            site_permissions: Permissions::parse("edit_page create_page"),
            ..AccountChange::default()
        };
        update(rights).await;
        assert!(sees(&key(&domain, max, None).await).await);
        for narrow in ["", "edit_page", "edit_page create_page"] {
            assert!(
                !sees(&key(&domain, max, Some(narrow)).await).await,
                "{narrow:?}"
            );
        }
        // A credential is nobody, and somebody else manages nothing.
        let other = account(&domain, "eve").await;
        assert!(!sees(&key(&domain, other, None).await).await);
        record(&domain, "eve").await;
        assert!(!sees(&key(&domain, other, None).await).await);
        assert!(!sees(&credential(&domain, "people:read", None).await).await);
        // Who was a manager a moment ago is none for the next call, though they called before.
        let by = key(&domain, max, None).await;
        let fill = async || {
            let some = batch(&domain, &["bob"]).await;
            domain
                .member_add(&by, AudienceRef::Id(place.list), some)
                .await
        };
        assert!(fill().await.is_ok());
        revoke(&domain, &server, place.list, "max")
            .await
            .expect("is taken");
        assert_eq!(code(fill().await), "scope");
        assert!(!sees(&by).await);
        close(domain).await;
        verified(&house);
    }
}
