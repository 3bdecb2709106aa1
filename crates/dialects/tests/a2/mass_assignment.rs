//! What nobody gives themselves: each field with each role, at registration and in an update.

use domain::Role;
use serde_json::{Value, json};

use crate::support::{PASSWORD, World};

fn reserved() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("is_superuser", json!(true), "is_superuser"),
        ("is_active", json!(false), "is_active"),
        ("is_verified", json!(true), "is_verified"),
        ("budget", json!(1_000), "budget"),
        ("credit", json!(0.5), "credit"),
        (
            "permissions",
            json!({"advertiser": ["budget", "list_advertisers"]}),
            "permissions",
        ),
        ("role", json!("admin"), ""),
        ("campaign_count", json!(7), ""),
        ("creative_count", json!(7), ""),
        ("placement_count", json!(7), ""),
    ]
}

async fn newest_entry(world: &World) -> Value {
    let entries = world.call(
        "GET",
        "/activity-logs?limit=1",
        Some(&world.admin.token),
        None,
    );
    entries.await.expect(200)[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_drops_each_field_of_each_role_and_the_log_says_so() {
    let world = World::new().await;
    for role in [Role::Advertiser, Role::Retailer] {
        let user = world
            .user(&format!("{}@example.com", role.as_str()), role)
            .await;
        let before = world.me(&user).await;
        for (field, value, logged) in reserved() {
            let changed = world
                .patch("/user/info", &user, json!({field: value}))
                .await;
            assert_eq!(changed.expect(200), before, "{field}");
            assert_eq!(world.me(&user).await, before, "{field}");
            let entry = newest_entry(&world).await;
            let expected = match logged {
                "" => String::new(),
                name => format!("dropped={name}"),
            };
            assert_eq!(entry["detail"], expected, "{field}");
            assert_eq!(entry["created_by"], user.id);
        }
        for field in ["budget", "credit"] {
            let refused = world.patch("/user/budget", &user, json!({field: 5})).await;
            refused.refused(403, "Forbidden");
        }
        assert_eq!(world.me(&user).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_drops_each_field_of_each_role() {
    let world = World::new().await;
    for role in ["advertiser", "retailer"] {
        for (field, value, logged) in reserved() {
            if field == "role" {
                continue;
            }
            let email = format!("{role}-{}@example.com", field.replace('_', "-"));
            let mut command = json!({"email": email, "name": "Ann Lee", "password": PASSWORD,
                "permissions": {}, "role": role});
            command[field] = value;
            let made = world
                .call("POST", "/auth/register", None, Some(command))
                .await
                .expect(201);
            assert_eq!(
                (&made["is_superuser"], &made["is_active"]),
                (&json!(false), &json!(true))
            );
            assert_eq!(
                (&made["is_verified"], &made["role"]),
                (&json!(false), &json!(role))
            );
            for zero in [
                "budget",
                "credit",
                "campaign_count",
                "creative_count",
                "placement_count",
            ] {
                assert_eq!(made[zero], 0, "{field}");
            }
            assert_eq!(made["permissions"], json!({}), "{field}");
            let entry = newest_entry(&world).await;
            assert_eq!(entry["owner_id"], made["id"]);
            assert_eq!(entry["created_by"], Value::Null);
            let dropped = entry["detail"].as_str().expect("is text");
            assert!(dropped.contains(logged), "{field}: {dropped}");
        }
    }
    let command = json!({"email": "eve@example.com", "name": "Eve Doe", "password": PASSWORD,
        "permissions": {}, "role": "admin"});
    let refused = world
        .call("POST", "/auth/register", None, Some(command))
        .await;
    refused.refused(403, "Forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sets_them_and_nobody_sets_counts_or_role() {
    let world = World::new().await;
    let ann = world.user("ann@example.com", Role::Advertiser).await;
    let before = world.me(&ann).await;
    for (field, value, logged) in reserved() {
        let command = json!({"id": ann.id, field: value});
        let changed = world
            .patch("/user/info", &world.admin, command)
            .await
            .expect(200);
        if logged.is_empty() {
            assert_eq!(changed[field], before[field], "{field}");
        } else if field == "permissions" {
            assert_eq!(
                changed[field],
                json!({"advertiser": ["list_advertisers", "budget"]})
            );
        } else {
            assert_eq!(changed[field], value, "{field}");
        }
        let back = json!({"id": ann.id, field: before[field]});
        let back = world
            .patch("/user/info", &world.admin, back)
            .await
            .expect(200);
        assert_eq!(back, before, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_set_budgets_sets_those_of_advertisers_only() {
    let world = World::new().await;
    let ann = world.user("ann@example.com", Role::Advertiser).await;
    let lee = world.user("lee@example.com", Role::Retailer).await;
    let grant = json!({"id": lee.id, "permissions": {"advertiser": ["budget"]}});
    world
        .patch("/user/info", &world.admin, grant)
        .await
        .expect(200);
    let allot = |id: &str| json!({"id": id, "budget": 100, "credit": 2.5});
    let changed = world
        .patch("/user/budget", &lee, allot(&ann.id))
        .await
        .expect(200);
    assert_eq!(
        (&changed["budget"], &changed["credit"]),
        (&json!(100), &json!(2.5))
    );
    for id in [&lee.id, &world.admin.id] {
        world
            .patch("/user/budget", &lee, allot(id))
            .await
            .refused(403, "Forbidden");
    }
    let renamed = json!({"id": ann.id, "name": "Somebody"});
    let kept = world.patch("/user/info", &lee, renamed).await;
    assert!(!kept.text.contains("Somebody"), "{}", kept.text);
    assert_eq!(world.me(&ann).await["name"], "Ann Lee");
}
