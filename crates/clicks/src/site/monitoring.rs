//! `GET /metrics` and `GET /health` for programs, and `GET /pipeline/history` for plots.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::chosen_stream::ChosenStream;
use crate::edge::{Collector, CollectorCounts};
use local_firehose::metrics_text::{MetricType, MetricsText};
use local_firehose::monitoring;
use local_firehose::registry::Registry;
use local_firehose::stream::RefusalReason;

pub(super) fn router(streams: Registry, collector: Option<Arc<Collector>>) -> Router {
    let text = async move |State(streams): State<Registry>| {
        let mut text = monitoring::metrics(&streams);
        if let Some(collector) = collector {
            write_collector(&mut text, &collector.counts());
        }
        text
    };
    Router::new()
        .route("/metrics", get(text))
        .route("/health", get(async |State(streams): State<Registry>| monitoring::health(&streams)))
        .route("/pipeline/history", get(async |ChosenStream(stream): ChosenStream| Json(stream.history())))
        .with_state(streams)
}

fn write_collector(text: &mut MetricsText, counts: &CollectorCounts) {
    let CollectorCounts { responded, failed, timed_out, refused } = counts;
    let name = "collector_requests_total";
    text.metric(name, MetricType::Counter, "Requests that the collector got, by outcome.");
    for (outcome, requests) in [("responded", responded), ("failed", failed), ("timed_out", timed_out)] {
        text.sample(name, &[("outcome", outcome)], requests);
    }
    let name = "collector_requests_refused_total";
    text.metric(name, MetricType::Counter, "Requests that were refused before the collector got them.");
    for reason in RefusalReason::ALL {
        text.sample(name, &[("reason", reason.as_str())], refused.get(reason));
    }
}

#[cfg(test)]
mod tests {
    use local_firehose::stream::RefusedRecords;

    use super::*;

    #[test]
    fn the_collector_has_metrics_of_its_own() {
        let refused = RefusedRecords::new(4, RefusalReason::Rate);
        let mut text = MetricsText::default();
        write_collector(&mut text, &CollectorCounts { responded: 3, failed: 2, timed_out: 1, refused });
        let expected = "\
# HELP collector_requests_total Requests that the collector got, by outcome.
# TYPE collector_requests_total counter
collector_requests_total{outcome=\"responded\"} 3
collector_requests_total{outcome=\"failed\"} 2
collector_requests_total{outcome=\"timed_out\"} 1
# HELP collector_requests_refused_total Requests that were refused before the collector got them.
# TYPE collector_requests_refused_total counter
collector_requests_refused_total{reason=\"backlog\"} 0
collector_requests_refused_total{reason=\"rate\"} 4
collector_requests_refused_total{reason=\"memory\"} 0
collector_requests_refused_total{reason=\"invalid\"} 0
collector_requests_refused_total{reason=\"incomplete\"} 0
collector_requests_refused_total{reason=\"unavailable\"} 0
";
        assert_eq!(text.as_str(), expected);
    }
}
