//! Another team's events and service, by configuration alone: the README shows this example.

use std::fs;
use std::path::Path;

use serde_json::json;
use test_support::exit::Exit;
use test_support::replay::Replay;

const VARIABLES: [(&str, &str); 7] = [
    ("LOOKUP_KEY", "productId=/item/productId"),
    ("LOOKUP_LIST", "/products"),
    ("LOOKUP_LIST_KEY", "id"),
    ("LOOKUP_ITEM", "none"),
    ("LOOKUP_ATTRIBUTES", "category=/category/name,price=/price/amount"),
    ("EVENT_FIELDS", "orderId,productId,customer=/customer/id"),
    ("REQUIRED_FIELDS", "orderId"),
];

fn root(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).to_str().unwrap().to_owned()
}

/// Replays the orders with more arguments and variables.
#[track_caller]
fn replay(variables: &[(&str, &str)]) -> (String, serde_json::Value) {
    let replay = Replay::of(&[]);
    let (orders, service) = (root("fixtures/orders/orders.jsonl"), root("fixtures/orders/service"));
    let mut command = replay.bare_command(&["--json", "--out", "out", "--service-files", &service, &orders]);
    let exit = Exit::from(command.envs(VARIABLES).envs(variables.iter().copied()).output().unwrap());
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    (replay.delivered(), exit.report())
}

#[test]
fn orders_are_enriched_as_the_readme_shows() {
    let expected = fs::read_to_string(root("fixtures/expected/orders.jsonl")).unwrap();
    let (delivered, report) = replay(&[]);
    assert_eq!(delivered, expected);
    assert_eq!(report["failed_by_reason"], json!({ "unknown_key": 1, "missing_field": 1 }), "{report}");
    assert_eq!(report["service_requests"], 1);

    let readme = fs::read_to_string(root("README.md")).unwrap();
    for (name, value) in VARIABLES {
        assert!(readme.contains(&format!("{name}='{value}'")) || readme.contains(&format!("{name}={value}")), "{name}");
    }
    assert!(readme.contains(&expected), "{expected}");
}

#[test]
fn the_recipes_of_the_documentation_work() {
    // The first is in a list.
    let page = fs::read_to_string(root("docs/guides/use-your-service.md")).unwrap().replace("\n   ", "\n");
    let recipes = page.split("```sh\nexport ").skip(1).map(|rest| rest.split("```").next().unwrap());
    let recipes: Vec<Vec<(&str, &str)>> = recipes
        .map(|exports| {
            let words = exports.split_whitespace().filter(|word| *word != "export");
            words
                .map(|word| word.split_once('=').map(|(name, value)| (name, value.trim_matches('\''))).unwrap())
                .collect()
        })
        .collect();
    let first_lines = [
        r#"{"orderId": "2026-1001", "productId": 7, "category": "tea"}"#,
        r#"{"orderId": "2026-1001", "productId": 7, "category": "tea"}"#,
        r#"{"orderId": "2026-1001", "productId": 7, "category": "tea"}"#,
        r#"{"orderId": "2026-1001", "productId": 7, "category": "tea"}"#,
        r#"{"orderId": "2026-1001", "placedAt": "2026-11-29T08:15:00Z", "customer": {"id": "c-17", "country": "FR"}, "item": {"productId": 7, "quantity": 2}, "name": "Oolong, 100 g", "category": "tea"}"#,
        r#"{"orderId": "2026-1001", "category": "tea"}"#,
    ];
    assert_eq!(recipes.len(), first_lines.len());
    for (recipe, expected) in recipes.iter().zip(first_lines) {
        let replay = Replay::of(&[]);
        let (orders, service) = (root("fixtures/orders/orders.jsonl"), root("fixtures/orders/service"));
        let mut command = replay.bare_command(&["--json", "--out", "out", "--service-files", &service, &orders]);
        let exit = Exit::from(command.envs(recipe.iter().copied()).output().unwrap());
        assert_eq!(exit.code, Some(1), "{recipe:?}: {}", exit.stderr);
        let delivered = replay.delivered();
        let line: serde_json::Value = serde_json::from_str(delivered.lines().next().unwrap_or_default()).unwrap();
        assert_eq!(line, serde_json::from_str::<serde_json::Value>(expected).unwrap(), "{recipe:?}");
    }
}

#[test]
fn one_request_for_each_product_gives_the_same() {
    let (by_list, _) = replay(&[]);
    let (by_item, report) =
        replay(&[("LOOKUP_MODE", "item"), ("LOOKUP_LIST", "none"), ("LOOKUP_ITEM", "/products/{key}")]);
    assert_eq!(by_item, by_list);
    assert_eq!(report["service_requests"], 4, "7 and \"7\" are one product");
}
