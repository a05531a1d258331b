//! The function as most would write it: `aws_lambda_events`, serde, and a cache of the mysfits.

use std::collections::HashMap;

use aws_lambda_events::firehose::{KinesisFirehoseEvent, KinesisFirehoseResponse, KinesisFirehoseResponseRecord};
use serde::{Deserialize, Serialize};

use crate::service::{Mysfit, mysfit};

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

pub(crate) struct Straightforward(HashMap<String, Mysfit>);

impl Straightforward {
    pub(crate) fn new() -> Self {
        Self((0..12).map(mysfit).map(|mysfit| (mysfit.mysfit_id.clone(), mysfit)).collect())
    }

    pub(crate) fn answer(&self, event: KinesisFirehoseEvent) -> KinesisFirehoseResponse {
        let mut response = KinesisFirehoseResponse::default();
        for record in event.records {
            let mut answer = KinesisFirehoseResponseRecord::default();
            answer.record_id = record.record_id;
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
                answer.result = Some("Ok".to_owned());
                answer.data.0 = line;
            } else {
                answer.result = Some("ProcessingFailed".to_owned());
                answer.data = record.data;
            }
            response.records.push(answer);
        }
        response
    }
}
