//! Requests to S3, and a storage that fails.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_sent_to_s3_unchanged() {
    for (key, path) in [
        ("firehose/2026/11/20/08/x", "firehose/2026/11/20/08/x"),
        ("x//y/x", "x//y/x"),
        ("/lead/x", "/lead/x"),
        ("//a///x", "//a///x"),
        ("../a/./x", "../a/./x"),
        ("a//", "a//"),
        ("%2E %25/é?#\n\0+/x", "%252E%20%2525/%C3%A9%3F%23%0A%00%2B/x"),
    ] {
        let (bucket, wire) = Wire::start().await;
        put(&bucket, key, "here").await;
        assert_eq!(wire.paths(), [path], "{key:?}");
        assert_eq!(get(&bucket, key).await.as_deref(), Some(b"here".as_slice()), "{key:?}");

        let found = bucket.find("", None).await.unwrap().objects;
        assert_eq!(found.iter().map(|object| &object.key).collect::<Vec<_>>(), [key]);
        let mut reader = bucket.read(&found[0], |_| ());
        let read = move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        };
        assert_eq!(tokio::task::spawn_blocking(read).await.unwrap().unwrap(), "here");
        assert!(bucket.is_unchanged(&found[0]).await.unwrap());
        bucket.rename(&found[0], &format!("/done//{key}")).await.unwrap();
        assert_eq!(wire.paths(), [format!("/done//{path}")]);
    }
}

#[tokio::test]
async fn a_storage_that_refused_an_object_accepts_it_later() {
    let (place, open) = Place::s3().await;
    open.store(false, Ordering::SeqCst);
    let error = place.bucket.put("a/x", Bytes::from_static(b"here"), Compression::None).await.unwrap_err().to_string();
    assert_eq!(error, "could not write s3://clicks/a/x: 503 Service Unavailable: SlowDown: Please reduce your rate.");
    let error = place.bucket.get("a/x", 10).await.unwrap_err().to_string();
    assert!(error.starts_with("could not read s3://clicks/a/x: 503 Service Unavailable: SlowDown"), "{error}");
    open.store(true, Ordering::SeqCst);
    put(&place.bucket, "a/x", "here").await;
    assert_eq!(get(&place.bucket, "a/x").await.as_deref(), Some(b"here".as_slice()));
}

#[tokio::test]
async fn a_storage_that_was_down_accepts_an_object_later() {
    // A port that no other process gets, without a listener.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let bucket = s3_bucket(socket.local_addr().unwrap(), "clicks");
    let error = bucket.put("a/x", Bytes::from_static(b"here"), Compression::None).await.unwrap_err().to_string();
    assert!(error.starts_with("could not write s3://clicks/a/x: Connection refused"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("clicks")).unwrap();
    serve(socket.listen(16).unwrap(), &folder);
    put(&bucket, "a/x", "here").await;
    assert_eq!(fs::read(folder.path().join("clicks/a/x")).unwrap(), b"here");
}

#[tokio::test]
async fn an_error_of_s3_is_one_line() {
    let no_bucket =
        "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>No such\n bucket</Message></Error>";
    for (status, body, expected) in [
        (404, no_bucket, "404 Not Found: NoSuchBucket: No such bucket"),
        (500, "", "500 Internal Server Error"),
        (400, "<html><h1>No\n</h1></html>", "400 Bad Request"),
        (403, "no\n\tentry", "403 Forbidden: no entry"),
        (301, "", "301 Moved Permanently"),
        (400, &"é".repeat(500), &format!("400 Bad Request: {}…", "é".repeat(MAX_CAUSE_CHARACTERS - 17))),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bucket = s3_bucket(listener.local_addr().unwrap(), "clicks");
        let answer = (StatusCode::from_u16(status).unwrap(), body.to_owned());
        let app = Router::new().fallback(async move || answer.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let error = bucket.put("a/x", Bytes::from_static(b"here"), Compression::None).await.unwrap_err().to_string();
        assert_eq!(error, format!("could not write s3://clicks/a/x: {expected}"));
        server.abort();
    }
}

#[tokio::test]
async fn objects_in_s3_have_a_content_type_and_encoding() {
    let (place, _) = Place::s3().await;
    // The extension does not decide: a stream may have one of its own.
    for (name, compression, encoding) in
        [("plain.gz", Compression::None, None), ("compressed.json", Compression::Gzip, Some("gzip"))]
    {
        place.bucket.put(name, Bytes::from_static(b"here"), compression).await.unwrap();
        let Store::S3(s3) = &place.bucket.store else { panic!() };
        let found = s3.client.head_object().bucket("clicks").key(name).send().await.unwrap();
        assert_eq!(found.content_type.as_deref(), Some("application/octet-stream"));
        assert_eq!(found.content_encoding.as_deref(), encoding);
    }
}
