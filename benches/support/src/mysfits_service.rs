//! A mysfits service with any number of mysfits.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::batch::mysfit_id;

/// A numbered mysfit.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mysfit {
    pub(crate) mysfit_id: String,
    pub(crate) goodevil: String,
    pub(crate) lawchaos: String,
    pub(crate) species: String,
}

/// The mysfit with this number.
#[must_use]
pub fn mysfit(number: usize) -> Mysfit {
    Mysfit {
        mysfit_id: mysfit_id(number),
        goodevil: ["Good", "Neutral", "Evil"][number % 3].to_owned(),
        lawchaos: ["Lawful", "Neutral", "Chaotic"][number / 3 % 3].to_owned(),
        species: ["Chimera", "Cyclops", "Dragon", "Plesiosaurus"][number / 9 % 4].to_owned(),
    }
}

/// Starts a service of `count` mysfits that delays each response by `latency`; returns its URL.
#[must_use]
pub fn start(count: usize, latency: Duration) -> String {
    let mysfits: Vec<Mysfit> = (0..count).map(mysfit).collect();
    let list: Arc<str> = serde_json::json!({ "mysfits": mysfits }).to_string().into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let list = Arc::clone(&list);
            thread::spawn(move || serve(stream.unwrap(), &list, latency));
        }
    });
    url
}

/// Serves one connection.
fn serve(mut stream: TcpStream, list: &str, latency: Duration) {
    stream.set_nodelay(true).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        for _ in lines.by_ref().take_while(|line| !line.is_empty()) {}
        thread::sleep(latency);
        let body = match item(&request) {
            Some(number) => serde_json::to_string(&mysfit(number)).unwrap(),
            None => list.to_owned(),
        };
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        // The client may be gone.
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// The mysfit that `GET /mysfits/{id} HTTP/1.1` requests; `None` for the list.
fn item(request: &str) -> Option<usize> {
    let id = request.split(' ').nth(1)?.strip_prefix("/mysfits/")?;
    usize::from_str_radix(id.get(..8)?, 16).ok()
}
