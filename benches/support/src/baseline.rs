//! A straightforward function in Rust: `aws_lambda_events`, serde, and a cache of the mysfits.

use std::collections::HashMap;

use aws_lambda_events::firehose::{KinesisFirehoseEvent, KinesisFirehoseResponse, KinesisFirehoseResponseRecord};
use serde::{Deserialize, Serialize};

use crate::batch::ClickFormat;
use crate::mysfits_service::{Mysfit, mysfit};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Click {
    user_id: String,
    mysfit_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    user_id: &'a str,
    mysfit_id: &'a str,
    goodevil: &'a str,
    lawchaos: &'a str,
    species: &'a str,
}

/// A click with two more fields, which are kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LongClick {
    user_id: String,
    mysfit_id: String,
    click_id: String,
    clicked_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LongLine<'a> {
    user_id: &'a str,
    mysfit_id: &'a str,
    click_id: &'a str,
    clicked_at: &'a str,
    goodevil: &'a str,
    lawchaos: &'a str,
    species: &'a str,
}

/// The baseline function, with a warm cache.
pub struct Baseline(HashMap<String, Mysfit>);

impl Baseline {
    /// A function with the twelve mysfits.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "as the other benchmarked functions")]
    pub fn new() -> Self {
        Self((0..12).map(mysfit).map(|mysfit| (mysfit.mysfit_id.clone(), mysfit)).collect())
    }

    /// Handles an event.
    #[must_use]
    pub fn handle(&self, event: KinesisFirehoseEvent) -> KinesisFirehoseResponse {
        self.transform(event, Self::line)
    }

    /// As [`Baseline::handle`], for clicks with two more fields, which are kept.
    #[must_use]
    pub fn handle_long(&self, event: KinesisFirehoseEvent) -> KinesisFirehoseResponse {
        self.transform(event, Self::long_line)
    }

    /// Handles an event of clicks in that format.
    #[must_use]
    pub fn handle_format(&self, event: KinesisFirehoseEvent, format: ClickFormat) -> KinesisFirehoseResponse {
        if format == ClickFormat::Kept { self.handle_long(event) } else { self.handle(event) }
    }

    fn transform(
        &self,
        event: KinesisFirehoseEvent,
        line: impl Fn(&Self, &[u8]) -> Option<Vec<u8>>,
    ) -> KinesisFirehoseResponse {
        let mut response = KinesisFirehoseResponse::default();
        for record in event.records {
            let mut result = KinesisFirehoseResponseRecord::default();
            result.record_id = record.record_id;
            if let Some(mut line) = line(self, &record.data) {
                line.push(b'\n');
                result.result = Some("Ok".to_owned());
                result.data.0 = line;
            } else {
                result.result = Some("ProcessingFailed".to_owned());
                result.data = record.data;
            }
            response.records.push(result);
        }
        response
    }

    fn line(&self, data: &[u8]) -> Option<Vec<u8>> {
        let click: Click = serde_json::from_slice(data).ok()?;
        let mysfit = self.0.get(&click.mysfit_id)?;
        serde_json::to_vec(&Line {
            user_id: &click.user_id,
            mysfit_id: &click.mysfit_id,
            goodevil: &mysfit.goodevil,
            lawchaos: &mysfit.lawchaos,
            species: &mysfit.species,
        })
        .ok()
    }

    fn long_line(&self, data: &[u8]) -> Option<Vec<u8>> {
        let click: LongClick = serde_json::from_slice(data).ok()?;
        let mysfit = self.0.get(&click.mysfit_id)?;
        serde_json::to_vec(&LongLine {
            user_id: &click.user_id,
            mysfit_id: &click.mysfit_id,
            click_id: &click.click_id,
            clicked_at: &click.clicked_at,
            goodevil: &mysfit.goodevil,
            lawchaos: &mysfit.lawchaos,
            species: &mysfit.species,
        })
        .ok()
    }
}
