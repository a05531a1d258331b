//! Where to listen, and which mysfits service is used.

use std::time::Duration;

use super::layers::Layers;
use super::{Service, SettingsError, invalid};
use crate::site::ServiceAddress;
use crate::up::options::{PipelineOptions, Port};
use local_firehose::stream::{Source, StreamSettings};

/// The default port of the local service.
const SERVICE_PORT: u16 = 8002;

/// The service with the given URL, or a local one.
pub(super) fn service(layers: &Layers<'_, PipelineOptions>) -> Result<Service, SettingsError> {
    let port = layers.find("service-port", |options| options.service_port.map(Port::number));
    let latency = layers.find("service-latency-ms", |options| options.service_latency_ms);
    let Some(url) = layers.find("service", |options| options.service.clone()) else {
        let latency = latency.map_or(0, |latency| latency.value.get());
        let port = port.map_or(SERVICE_PORT, |port| port.value);
        return Ok(Service::Local { port, latency: Duration::from_millis(latency.into()) });
    };
    // The URL overrides options of a lower layer. It contradicts those of its own or a higher one.
    let local = [port.map(|port| (port.option, port.depth)), latency.map(|latency| (latency.option, latency.depth))];
    match local.into_iter().flatten().find(|(_, depth)| *depth <= url.depth) {
        Some((local, _)) => {
            let service = url.option;
            invalid(
                &local,
                format_args!("is for the local service, which does not start with {service}; leave one of them out"),
            )
        }
        None => match ServiceAddress::external(&url.value.0) {
            Ok(page) => Ok(Service::External { url: url.value.0, page }),
            Err(error) => invalid(&url.option, error),
        },
    }
}

/// The ports, which differ from each other and from the local service's.
pub(super) fn ports(
    layers: &Layers<'_, PipelineOptions>,
    service: &Service,
    streams: &[StreamSettings],
) -> Result<Ports, SettingsError> {
    let page = layers.find_or("port", |options| options.port.map(Port::number), 8000);
    let firehose = layers.find_or("firehose-port", |options| options.firehose_port.map(Port::number), 8001);
    let local = layers.find_or("service-port", |options| options.service_port.map(Port::number), SERVICE_PORT);
    let kinesis = layers.find_or("kinesis-port", |options| options.kinesis_port.map(Port::number), 8003);
    let mut taken = vec![&page, &firehose];
    taken.extend(matches!(service, Service::Local { .. }).then_some(&local));
    taken.extend(streams.iter().any(|stream| stream.source != Source::DirectPut).then_some(&kinesis));
    for (index, first) in taken.iter().enumerate() {
        let same = taken[index + 1..].iter().find(|second| second.value == first.value);
        if let Some(second) = same.filter(|_| first.value != 0) {
            return Err(SettingsError(format!(
                "{} and {}: both are {}; accepted are different ports, or 0 for any free one",
                first.option, second.option, first.value
            )));
        }
    }
    Ok(Ports { page: page.value, firehose: firehose.value, kinesis: kinesis.value })
}

/// Where to listen; 0 is any free port.
pub(super) struct Ports {
    pub(super) page: u16,
    pub(super) firehose: u16,
    pub(super) kinesis: u16,
}
