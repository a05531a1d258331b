use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt, stream};
use tokio::time::sleep;

use super::*;

const LIMITS: BodyLimits = BodyLimits { max_bytes: 8192, max_discarded: 64 * 1024, timeout: Duration::from_secs(10) };

fn reader() -> BodyReader {
    BodyReader::new(LIMITS, BodyMemory::default())
}

/// A body that announces no length.
fn chunks(count: usize, bytes: usize) -> Body {
    Body::from_stream(stream::iter(vec![Bytes::from(vec![b' '; bytes]); count]).map(Ok::<_, io::Error>))
}

/// A chunk of this size each 0.9 seconds, and no end.
fn trickle(bytes: usize) -> Body {
    Body::from_stream(stream::unfold((), move |()| async move {
        sleep(Duration::from_millis(900)).await;
        Some((Ok::<_, io::Error>(Bytes::from(vec![b' '; bytes])), ()))
    }))
}

#[tokio::test]
async fn a_body_is_bounded_with_and_without_an_announced_length() {
    for (body, expected) in [
        (Body::empty(), Ok(0)),
        (Body::from(vec![b' '; 8192]), Ok(8192)),
        (Body::from(vec![b' '; 8193]), Err(BodyError::TooLarge)),
        (chunks(8, 1024), Ok(8192)),
        (chunks(8193, 1), Err(BodyError::TooLarge)),
        (chunks(2, 8192), Err(BodyError::TooLarge)),
        (Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::other("reset"))])), Err(BodyError::Incomplete)),
    ] {
        assert_eq!(reader().read(body).await.map(|bytes| bytes.len()), expected);
    }
}

#[tokio::test]
async fn an_endless_body_ends() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let endless = stream::repeat_with(move || {
        counted.fetch_add(1024, Ordering::Relaxed);
        Ok::<_, io::Error>(Bytes::from_static(&[b' '; 1024]))
    });
    assert_eq!(reader().read(Body::from_stream(endless)).await.unwrap_err(), BodyError::TooLarge);
    assert_eq!(sent.load(Ordering::Relaxed), LIMITS.max_bytes + LIMITS.max_discarded + 1024);
}

#[tokio::test(start_paused = true)]
async fn a_body_has_a_minimum_rate_and_a_time() {
    let one_byte = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"{"))]).chain(stream::pending());
    let burst = stream::iter([Ok::<_, io::Error>(Bytes::from(vec![b' '; 8192]))]).chain(stream::pending());
    for (body, error, seconds) in [
        (Body::from_stream(stream::pending::<io::Result<Bytes>>()), BodyError::TooSlow, 5),
        (Body::from_stream(one_byte), BodyError::TooSlow, 5),
        (trickle(1), BodyError::TooSlow, 5),
        // What arrived fast earns nothing for later.
        (Body::from_stream(burst), BodyError::TooSlow, 5),
        // Nine chunks earn 3.5 seconds.
        (trickle(400), BodyError::TooSlow, 8),
        (trickle(1024), BodyError::Timeout(LIMITS.timeout), 10),
    ] {
        let started = Instant::now();
        assert_eq!(reader().read(body).await.unwrap_err(), error);
        assert_eq!(started.elapsed().as_secs(), seconds, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_bodies_do_not_delay_others() {
    let reader = Arc::new(reader());
    let slow: Vec<_> = (0..1000)
        .map(|_| {
            let reader = Arc::clone(&reader);
            tokio::spawn(async move { reader.read(Body::from_stream(stream::pending::<io::Result<Bytes>>())).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let started = Instant::now();
    assert_eq!(reader.read(Body::from("{}")).await.unwrap().to_vec(), b"{}");
    assert_eq!(started.elapsed(), Duration::ZERO);
    for body in slow {
        assert_eq!(body.await.unwrap().unwrap_err(), BodyError::TooSlow);
    }
}

#[tokio::test]
async fn the_memory_is_bounded_for_the_large_part_of_bodies() {
    let limits = BodyLimits { max_bytes: 1024 * 1024, ..LIMITS };
    let memory = BodyMemory::of(2048);
    let readers = [(); 2].map(|()| BodyReader::new(limits, memory.clone()));
    let body = |counted: usize| chunks(UNCOUNTED / 1024 + counted, 1024);
    let first = readers[0].read(body(2)).await.unwrap();
    assert_eq!(first.len(), UNCOUNTED + 2048);
    // Another reader shares the memory. Small bodies need none.
    for (counted, expected) in [(1, Err(BodyError::NoMemory)), (0, Ok(UNCOUNTED))] {
        assert_eq!(readers[1].read(body(counted)).await.map(|bytes| bytes.len()), expected);
    }
    drop(first);
    // A refused body keeps none.
    for (counted, expected) in [(3, Err(BodyError::NoMemory)), (2, Ok(UNCOUNTED + 2048)), (2, Ok(UNCOUNTED + 2048))] {
        assert_eq!(readers[1].read(body(counted)).await.map(|bytes| bytes.len()), expected);
    }
    // Also a body that is made of another one.
    for (counted, expected) in [(2049, Err(BodyError::NoMemory)), (2048, Ok(UNCOUNTED + 2048))] {
        assert_eq!(readers[0].hold(vec![b' '; UNCOUNTED + counted]).map(|bytes| bytes.len()), expected);
    }
    assert_eq!(readers[0].hold(vec![b' '; limits.max_bytes + 1]).unwrap_err(), BodyError::TooLarge);
    assert_eq!(memory.0.available_permits(), 2048);
}

#[test]
fn a_response_takes_memory_until_it_is_sent() {
    let memory = BodyMemory::of(2048);
    let hold = |counted: usize| memory.hold_response(vec![b' '; UNCOUNTED_OF_RESPONSE + counted]);
    let first = hold(2048).unwrap();
    let clone = first.clone();
    assert_eq!(
        (first.len(), hold(1), hold(0).map(|sent| sent.len())),
        (UNCOUNTED_OF_RESPONSE + 2048, Err(BodyError::NoMemory), Ok(UNCOUNTED_OF_RESPONSE))
    );
    drop(first);
    assert_eq!(hold(1), Err(BodyError::NoMemory));
    drop(clone);
    assert!(hold(2048).is_ok());
    assert_eq!(memory.0.available_permits(), 2048);
}

#[tokio::test]
async fn the_body_of_a_refused_request_is_discarded_unless_its_client_waits_to_send_it() {
    for (expects, read) in [(false, 3), (true, 0)] {
        let (sender, mut discarded) = tokio::sync::mpsc::unbounded_channel();
        let body = Body::from_stream(stream::iter(0..3).map(move |chunk| {
            sender.send(chunk).unwrap();
            Ok::<_, io::Error>(Bytes::from_static(b"{"))
        }));
        let headers: HeaderMap = expects.then(|| (EXPECT, "100-continue".parse().unwrap())).into_iter().collect();
        reader().discard(&headers, body);
        let mut chunks = 0;
        // Until the body is dropped.
        while discarded.recv().await.is_some() {
            chunks += 1;
        }
        assert_eq!(chunks, read);
    }
}
