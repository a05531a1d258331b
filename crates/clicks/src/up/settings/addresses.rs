//! Where to listen, and which mysfits service is asked.

use std::time::Duration;

use super::layers::{Found, Layers};
use super::{Service, SettingsError};
use crate::site::ServiceAddress;
use crate::up::options::{PipelineOptions, Port};

/// The port of the local service where nobody says another.
const SERVICE_PORT: Port = Port(8002);

/// The service that was named, or a local one.
pub(super) fn service(layers: &Layers<'_, PipelineOptions>) -> Result<Service, SettingsError> {
    let port = layers.find("service-port", |options| options.service_port);
    let latency = layers.find("service-latency-ms", |options| options.service_latency_ms);
    let Some(url) = layers.find("service", |options| options.service.clone()) else {
        let latency = latency.map_or(0, |latency| latency.value.get());
        let port = port.map_or(SERVICE_PORT.0, |port| port.value.0);
        return Ok(Service::Local { port, latency: Duration::from_millis(latency.into()) });
    };
    // What counts less is overruled by the URL; what counts as much contradicts it.
    let mut local = [port.map(Found::place), latency.map(Found::place)].into_iter().flatten();
    match local.find(|(_, depth)| *depth <= url.depth) {
        Some((local, _)) => Err(SettingsError::NoLocalService { local, service: url.option }),
        None => match ServiceAddress::external(&url.value.0) {
            Ok(page) => Ok(Service::Elsewhere { url: url.value.0, page }),
            Err(source) => Err(SettingsError::Service { option: url.option, source }),
        },
    }
}

/// The ports of the pages and of Firehose's API, unlike each other's and the local service's.
pub(super) fn ports(layers: &Layers<'_, PipelineOptions>, service: &Service) -> Result<(u16, u16), SettingsError> {
    let page = layers.find_or("port", |options| options.port, Port(8000));
    let firehose = layers.find_or("firehose-port", |options| options.firehose_port, Port(8001));
    let local = layers.find_or("service-port", |options| options.service_port, SERVICE_PORT);
    let mut pairs = vec![(&page, &firehose)];
    if matches!(service, Service::Local { .. }) {
        pairs.extend([(&page, &local), (&firehose, &local)]);
    }
    for (first, second) in pairs {
        if first.value == second.value && first.value != Port(0) {
            let (port, first, second) = (first.value.0, first.option.clone(), second.option.clone());
            return Err(SettingsError::SamePort { first, second, port });
        }
    }
    Ok((page.value.0, firehose.value.0))
}
