//! Another team's events and service, by a configuration file alone.

use std::fs;
use std::path::Path;

use test_support::up::{PROCESSOR, Up};

#[test]
fn orders_are_enriched_by_a_product_service() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = |name: &str| root.join(name).to_str().unwrap().to_owned();
    let (config, service) = (path("fixtures/orders.toml"), path("fixtures/orders/service"));
    let up = Up::start(&[PROCESSOR, "--config", &config, "--service-files", &service]);
    let orders = fs::read_to_string(path("fixtures/orders/orders.jsonl")).unwrap();
    // A line is a record of its own. Those that fail do not hold the others back.
    up.put_into("orders", &orders.lines().collect::<Vec<_>>());
    up.until_processed(6);
    assert_eq!(up.objects("orders"), fs::read_to_string(path("fixtures/expected/orders.jsonl")).unwrap());
    assert_eq!(up.errors().len(), 2);
}
