//! A function that does what each event tells it to.

use std::io::Write;
use std::time::Duration;

use runtime_api::client;

fn main() -> std::io::Result<()> {
    println!("starting");
    match std::env::args().nth(1).as_deref() {
        Some("exit-in-init") => {
            eprintln!("bad configuration");
            std::process::exit(3);
        }
        Some("init-error") => {
            client::init_error("Extension.Bad", "no good")?;
            std::process::exit(4);
        }
        _ => {}
    }
    loop {
        let event = client::next()?;
        let id = event.request_id.as_str();
        let told = String::from_utf8_lossy(&event.body).into_owned();
        match told.split_once(' ').unwrap_or((&told, "")) {
            ("error", message) => drop(client::error(id, "Function.Told", message)?),
            ("exit", _) => {
                println!("last words");
                std::process::exit(7);
            }
            ("exit-after-reply", _) => {
                client::reply(id, b"done")?;
                std::process::exit(0);
            }
            ("hang", _) => std::thread::sleep(Duration::from_mins(10)),
            ("bytes", count) => {
                let status = client::reply(id, &vec![b' '; count.parse().unwrap_or_default()])?;
                println!("status {status}");
            }
            ("log", count) => {
                for line in 0..count.parse().unwrap_or_default() {
                    println!("line {line} {}", "-".repeat(100));
                }
                client::reply(id, b"logged")?;
                println!("after the reply");
            }
            ("streams", _) => {
                let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
                for line in 0..3 {
                    writeln!(out, "out {line}")?;
                    writeln!(err, "err {line}")?;
                }
                client::reply(id, b"")?;
            }
            ("strange-id", _) => {
                let status = client::reply("00000000-0000-0000-0000-000000000000", b"strange")?;
                client::reply(id, status.to_string().as_bytes())?;
                println!("again {}", client::reply(id, b"again")?);
            }
            ("deadline", _) => drop(client::reply(id, event.deadline_ms.as_bytes())?),
            ("trace", _) => drop(client::reply(id, event.trace_id.as_bytes())?),
            ("env", name) => {
                let value = std::env::var(name).unwrap_or_else(|_| "unset".to_owned());
                client::reply(id, value.as_bytes())?;
            }
            _ => drop(client::reply(id, told.as_bytes())?),
        }
    }
}
