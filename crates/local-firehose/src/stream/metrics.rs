//! The metrics of streams, from their snapshots.

use super::attempt::OUTCOMES;
use super::data_stream::DataStreamSnapshot;
use super::refusals::{RefusalReason, RefusedRecords};
use super::stats::StreamSnapshot;
use crate::metrics_text::MetricType::{Counter, Gauge, Histogram};
use crate::metrics_text::{MetricType, MetricsText};

/// Counters are there before their first event, so that a rate includes it.
pub(crate) fn write_metrics(text: &mut MetricsText, streams: &[StreamSnapshot], data_streams: &[DataStreamSnapshot]) {
    let accepted = |stream: &StreamSnapshot| stream.accepted;
    let name = ("firehose_records_accepted_total", Counter);
    write(text, streams, name, "Records that a delivery stream has accepted.", accepted);
    text.metric("firehose_records_total", Counter, "Records of a delivery stream by outcome.");
    for stream in streams {
        let StreamSnapshot { stream, delivered, dropped, failed, .. } = stream;
        for (outcome, records) in [("delivered", delivered), ("dropped", dropped), ("failed", failed)] {
            text.sample("firehose_records_total", &[("stream", stream), ("outcome", outcome)], records);
        }
    }
    let refused = streams.iter().map(|stream| (&stream.stream, &stream.refused_by_reason));
    write_refused(text, "firehose_records_refused_total", "Records that a delivery stream has refused.", refused);
    write_invocations(text, streams);
    write_backlog(text, streams);
    write_storage(text, streams);
    if !data_streams.is_empty() {
        text.metric(
            "kinesis_records_accepted_total",
            Counter,
            "Records that a data stream created by a caller has accepted.",
        );
        for DataStreamSnapshot { data_stream, accepted, .. } in data_streams {
            text.sample("kinesis_records_accepted_total", &[("stream", data_stream)], accepted);
        }
        let refused = data_streams.iter().map(|stream| (&stream.data_stream, &stream.refused_by_reason));
        write_refused(
            text,
            "kinesis_records_refused_total",
            "Records that a data stream created by a caller has refused.",
            refused,
        );
    }
}

fn write_refused<'a>(
    text: &mut MetricsText,
    name: &str,
    help: &str,
    streams: impl Iterator<Item = (&'a String, &'a RefusedRecords)>,
) {
    text.metric(name, Counter, help);
    for (stream, refused) in streams {
        for reason in RefusalReason::ALL {
            text.sample(name, &[("stream", stream), ("reason", reason.as_str())], refused.get(reason));
        }
    }
}

fn write_invocations(text: &mut MetricsText, streams: &[StreamSnapshot]) {
    text.metric("firehose_invocations_total", Counter, "Attempts to invoke the function by outcome.");
    for StreamSnapshot { stream, invocations_by_outcome, .. } in streams {
        for outcome in OUTCOMES {
            let invocations = invocations_by_outcome.get(outcome).copied().unwrap_or_default();
            text.sample("firehose_invocations_total", &[("stream", stream), ("outcome", outcome)], invocations);
        }
    }
    let retries = |stream: &StreamSnapshot| stream.retries;
    write(
        text,
        streams,
        ("firehose_invocation_retries_total", Counter),
        "Attempts after the first of a batch.",
        retries,
    );
    let in_flight = |stream: &StreamSnapshot| stream.in_function.invocations;
    write(text, streams, ("firehose_invocations_in_flight", Gauge), "Batches that are in an invocation.", in_flight);
    let name = "firehose_invocation_duration_seconds";
    text.metric(name, Histogram, "Durations of the invocations that the function got.");
    for StreamSnapshot { stream, durations, .. } in streams {
        let mut count = 0;
        for (bound, so_far) in durations.cumulative() {
            let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
            text.sample(&format!("{name}_bucket"), &[("stream", stream), ("le", &bound)], so_far);
            count = so_far;
        }
        text.sample(&format!("{name}_sum"), &[("stream", stream)], durations.sum_seconds);
        text.sample(&format!("{name}_count"), &[("stream", stream)], count);
    }
}

fn write_backlog(text: &mut MetricsText, streams: &[StreamSnapshot]) {
    text.metric("firehose_backlog_records", Gauge, "Records that are not delivered, by stage.");
    for StreamSnapshot { stream, buffered, in_function, waiting, .. } in streams {
        for (stage, records) in
            [("buffered", buffered.records), ("in_function", in_function.records), ("waiting", waiting.records)]
        {
            text.sample("firehose_backlog_records", &[("stream", stream), ("stage", stage)], records);
        }
    }
    let help =
        "Bytes of records in the buffer of the function, and in that of the destination with copies for the backup.";
    text.metric("firehose_backlog_bytes", Gauge, help);
    for StreamSnapshot { stream, buffered, waiting, .. } in streams {
        for (stage, bytes) in [("buffered", buffered.bytes), ("waiting", waiting.bytes)] {
            text.sample("firehose_backlog_bytes", &[("stream", stream), ("stage", stage)], bytes);
        }
    }
}

fn write_storage(text: &mut MetricsText, streams: &[StreamSnapshot]) {
    let errors = |stream: &StreamSnapshot| stream.storage_errors;
    write(
        text,
        streams,
        ("firehose_storage_errors_total", Counter),
        "Objects that the storage refused, each retry too.",
        errors,
    );
    let refuses = |stream: &StreamSnapshot| u64::from(stream.storage_error.is_some());
    write(
        text,
        streams,
        ("firehose_storage_refusing", Gauge),
        "1 while an object waits because the storage refuses it.",
        refuses,
    );
}

fn write(
    text: &mut MetricsText,
    streams: &[StreamSnapshot],
    (name, kind): (&str, MetricType),
    help: &str,
    value: impl Fn(&StreamSnapshot) -> u64,
) {
    text.metric(name, kind, help);
    for stream in streams {
        text.sample(name, &[("stream", &stream.stream)], value(stream));
    }
}

#[cfg(test)]
mod tests;
