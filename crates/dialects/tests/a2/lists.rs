//! Lists: all users page by page, who may see them, and the order of the fields.

use domain::{AccountNew, Caller, Context, Entrance, Role};
use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn all_users_come_in_one_array_however_many() {
    let world = World::new().await;
    let context = Context::new(Caller::server(world.workspace), "test");
    for start in [0, 1_000] {
        let items = (start..start + 1_000).map(|number| {
            let role = if number % 10 == 0 {
                Role::Retailer
            } else {
                Role::Advertiser
            };
            let new = AccountNew {
                role,
                ..AccountNew::of(format!("u{number}@example.com"))
            };
            Ok((new, Entrance::Invitation))
        });
        let made = world
            .domain
            .account_create_all(&context, "account_create", items.collect());
        assert!(made.await.expect("are made").iter().all(Result::is_ok));
    }
    let get = |path: &'static str| world.call("GET", path, Some(&world.admin.token), None);
    let answer = get("/users").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let all = answer.expect(200);
    let all = all.as_array().expect("is a list");
    assert_eq!(all.len(), 2_001);
    assert!(
        all.windows(2)
            .all(|pair| pair[0]["id"].as_str() < pair[1]["id"].as_str())
    );
    let count = |value: serde_json::Value| value.as_array().map(Vec::len);
    assert_eq!(
        count(get("/users?role=retailer").await.expect(200)),
        Some(200)
    );
    assert_eq!(count(get("/users?role=admin").await.expect(200)), Some(1));
    assert_eq!(
        count(get("/api/users?role=advertiser").await.expect(200)),
        Some(1_800)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_for_administrators_and_one_role_for_whom_it_is_given() {
    let world = World::new().await;
    let ann = world.user("ann@example.com", Role::Advertiser).await;
    let lee = world.user("lee@example.com", Role::Retailer).await;
    let get = |path: String, token: &str| {
        let token = token.to_owned();
        let world = &world;
        async move { world.call("GET", &path, Some(&token), None).await }
    };
    for path in ["/users", "/users?role=advertiser", "/activity-logs"] {
        get(path.into(), &lee.token).await.refused(403, "Forbidden");
    }
    get(format!("/users?id={}", lee.id), &lee.token)
        .await
        .refused(403, "Forbidden");
    get(format!("/users/{}", ann.id), &lee.token)
        .await
        .refused(403, "Forbidden");
    get(format!("/users/{}", lee.id), &lee.token)
        .await
        .expect(200);
    let grant = json!({"id": lee.id, "permissions": {"advertiser": ["list_advertisers"]}});
    world
        .patch("/user/info", &world.admin, grant)
        .await
        .expect(200);
    let seen = get("/users?role=advertiser".into(), &lee.token)
        .await
        .expect(200);
    assert_eq!(seen, json!([world.me(&ann).await]));
    for path in ["/users", "/users?role=retailer", "/users?role=admin"] {
        get(path.into(), &lee.token).await.refused(403, "Forbidden");
    }
    let both = format!("/users?id={}&role=retailer", ann.id);
    assert_eq!(get(both, &world.admin.token).await.expect(200), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_the_documented_fields_in_their_order() {
    let world = World::new().await;
    let answer = world
        .call("GET", "/users/me", Some(&world.admin.token), None)
        .await;
    let fields = [
        "budget",
        "campaign_count",
        "creative_count",
        "credit",
        "email",
        "id",
        "is_active",
        "is_superuser",
        "is_verified",
        "name",
        "permissions",
        "placement_count",
        "preferences",
        "role",
    ];
    let mut places = fields.map(|field| answer.text.find(&format!("\"{field}\":")));
    assert!(places.iter().all(Option::is_some), "{}", answer.text);
    let before = places;
    places.sort_unstable();
    assert_eq!(before, places);
    let user = answer.expect(200);
    assert_eq!(
        (&user["role"], &user["is_superuser"]),
        (&json!("admin"), &json!(true))
    );
    assert_eq!(user["preferences"]["etc"], json!({"language": "ko"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_activity_log_goes_back_from_the_newest() {
    let world = World::new().await;
    let get = |path: String| {
        let world = &world;
        async move {
            world
                .call("GET", &path, Some(&world.admin.token), None)
                .await
                .expect(200)
        }
    };
    let all = get("/activity-logs".into()).await;
    let numbers: Vec<i64> = all
        .as_array()
        .expect("is a list")
        .iter()
        .filter_map(|one| one["no"].as_i64())
        .collect();
    assert!(numbers.len() >= 2 && numbers.windows(2).all(|pair| pair[0] > pair[1]));
    let first = get("/activity-logs?limit=1".into()).await;
    let second = get(format!("/activity-logs?limit=1&before={}", numbers[0])).await;
    assert_eq!((&first[0], &second[0]), (&all[0], &all[1]));
    assert_eq!(get("/activity-logs?before=1".into()).await, json!([]));
    assert_eq!(
        (&all[0]["verb"], &all[0]["owner_id"]),
        (&json!("sign_in"), &json!(world.admin.id))
    );
}
