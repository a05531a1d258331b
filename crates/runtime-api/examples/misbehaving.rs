//! The function of the tests: its events are commands to misbehave.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, exit};
use std::thread;
use std::time::Duration;

use runtime_api::client;

fn main() -> io::Result<()> {
    match std::env::var("MISBEHAVE").as_deref() {
        Ok("exit") => {
            println!("starting");
            eprintln!("bad configuration");
            exit(3);
        }
        Ok("init-error") => {
            client::init_error("Extension.Bad", "no good")?;
            exit(4);
        }
        Ok("silent") => thread::sleep(Duration::from_mins(10)),
        Ok("linger") => return linger(&std::env::var("LINGER_AT").unwrap_or_default()),
        _ => {}
    }
    println!("starting");
    loop {
        let event = client::next()?;
        let text = String::from_utf8_lossy(&event.body).into_owned();
        let (what, how) = text.split_once(' ').unwrap_or((&text, ""));
        if !ends(&event, what, how)? && !logs(&event, what, how)? && !protocol(&event, what)? {
            reply(&event, &text)?;
        }
    }
}

/// Commands that exit, or keep the process from exiting.
fn ends(event: &client::Event, what: &str, how: &str) -> io::Result<bool> {
    match what {
        "exit" => {
            println!("last words");
            exit(7);
        }
        "exit-after-reply" => {
            reply(event, "done")?;
            exit(0);
        }
        "exit-when-idle" => {
            let signal = TcpStream::connect(how)?;
            thread::spawn(move || {
                let _signalled = (&signal).read(&mut [0]);
                println!("last words");
                exit(9);
            });
            reply(event, "")?;
        }
        "hang" => thread::sleep(Duration::from_mins(10)),
        "hang-after-reply" => {
            reply(event, "done")?;
            thread::sleep(Duration::from_mins(10));
        }
        "start-another" => {
            Command::new(std::env::current_exe()?).env("MISBEHAVE", "linger").env("LINGER_AT", how).spawn()?;
            reply(event, "")?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn logs(event: &client::Event, what: &str, how: &str) -> io::Result<bool> {
    match what {
        "log" => {
            for line in 0..how.parse().unwrap_or_default() {
                println!("line {line} {}", "-".repeat(100));
            }
            reply(event, "logged")?;
            println!("after the reply");
        }
        "streams" => {
            let (mut out, mut err) = (io::stdout(), io::stderr());
            for line in 0..3 {
                writeln!(out, "out {line}")?;
                writeln!(err, "err {line}")?;
            }
            reply(event, "")?;
        }
        "bytes" => {
            let status = client::reply(&event.request_id, &vec![b' '; how.parse().unwrap_or_default()])?;
            println!("status {status}");
        }
        "error" => drop(client::error(&event.request_id, "Function.Told", how)?),
        "args" => reply(event, &format!("{:?}", std::env::args().skip(1).collect::<Vec<_>>()))?,
        "directory" => reply(event, &std::env::current_dir()?.display().to_string())?,
        "env" => reply(event, &std::env::var(how).unwrap_or_else(|_| "unset".to_owned()))?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn protocol(event: &client::Event, what: &str) -> io::Result<bool> {
    match what {
        "strange-id" => {
            let status = client::reply("00000000-0000-0000-0000-000000000000", b"strange")?;
            reply(event, &status.to_string())?;
            println!("again {}", client::reply(&event.request_id, b"again")?);
        }
        "next" => reply(event, &client::next().map_or_else(|refusal| refusal.to_string(), |event| event.request_id))?,
        "init-error" => reply(event, &client::init_error("Extension.Late", "too late")?.to_string())?,
        "error-header" => {
            let header = "lambda-runtime-function-error-type: Function.Header";
            let stream = send(event, &format!("error HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}"), 2, "{}")?;
            wait(stream);
        }
        "half-reply" => {
            let stream = send(event, "response HTTP/1.1\r\nhost: x", 100, "half")?;
            stream.shutdown(Shutdown::Write)?;
            wait(stream);
            exit(5);
        }
        "deadline" => reply(event, &event.deadline_ms)?,
        "arn" => reply(event, &event.function_arn)?,
        "trace" => reply(event, &event.trace_id)?,
        "group" => reply(event, &rustix::process::getpgrp().to_string())?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn reply(event: &client::Event, text: &str) -> io::Result<()> {
    client::reply(&event.request_id, text.as_bytes()).map(drop)
}

/// Sends an invalid response: with this head, length and body.
fn send(event: &client::Event, head: &str, length: usize, body: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?)?;
    let path = format!("/2018-06-01/runtime/invocation/{}", event.request_id);
    stream.write_all(format!("POST {path}/{head}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes())?;
    Ok(stream)
}

/// Waits until the Runtime API closes the connection.
fn wait(mut stream: TcpStream) {
    // It may reset the connection.
    let _broken = stream.read_to_end(&mut Vec::new());
}

/// Runs until it is killed. A listener at the address detects that by the closed connection.
fn linger(address: &str) -> io::Result<()> {
    let mut connection = TcpStream::connect(address)?;
    connection.read_to_end(&mut Vec::new()).map(drop)
}
