//! A straightforward function in Rust: `aws_lambda_events`, serde, and a cache of the mysfits.

use std::collections::HashMap;

use aws_lambda_events::firehose::{KinesisFirehoseEvent, KinesisFirehoseResponse, KinesisFirehoseResponseRecord};
use serde::{Deserialize, Serialize};

use crate::batch::Form;
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
        let mut response = KinesisFirehoseResponse::default();
        for record in event.records {
            let mut result = KinesisFirehoseResponseRecord::default();
            result.record_id = record.record_id;
            let click: Result<Click, _> = serde_json::from_slice(&record.data);
            let found = click.ok().and_then(|click| Some((self.0.get(&click.mysfit_id)?, click)));
            if let Some((mysfit, click)) = found {
                let mut line = serde_json::to_vec(&Line {
                    user_id: &click.user_id,
                    mysfit_id: &click.mysfit_id,
                    goodevil: &mysfit.goodevil,
                    lawchaos: &mysfit.lawchaos,
                    species: &mysfit.species,
                })
                .unwrap();
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

    /// As [`Baseline::handle`], for clicks with two more fields, which are kept.
    #[must_use]
    pub fn handle_long(&self, event: KinesisFirehoseEvent) -> KinesisFirehoseResponse {
        let mut response = KinesisFirehoseResponse::default();
        for record in event.records {
            let mut result = KinesisFirehoseResponseRecord::default();
            result.record_id = record.record_id;
            let click: Result<LongClick, _> = serde_json::from_slice(&record.data);
            let found = click.ok().and_then(|click| Some((self.0.get(&click.mysfit_id)?, click)));
            if let Some((mysfit, click)) = found {
                let mut line = serde_json::to_vec(&LongLine {
                    user_id: &click.user_id,
                    mysfit_id: &click.mysfit_id,
                    click_id: &click.click_id,
                    clicked_at: &click.clicked_at,
                    goodevil: &mysfit.goodevil,
                    lawchaos: &mysfit.lawchaos,
                    species: &mysfit.species,
                })
                .unwrap();
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

    /// Handles an event of clicks in that form.
    #[must_use]
    pub fn handle_form(&self, event: KinesisFirehoseEvent, form: Form) -> KinesisFirehoseResponse {
        if form == Form::Kept { self.handle_long(event) } else { self.handle(event) }
    }
}
