use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::error_handling::HandleError;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use object_store::aws::AmazonS3Builder;
use proptest::prelude::*;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::firehose::prefix::object_name;

const NAME: &str = "clicks-1-2026-11-20-08-22-01-00000000-0000-0000-0000-000000000000";

/// A bucket, and the folder in which its objects are files.
struct Place {
    bucket: Bucket,
    objects: PathBuf,
    _folder: TempDir,
}

impl Place {
    fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let objects = folder.path().join("out/bucket");
        let bucket = Bucket::open(&Destination::Folder(objects.clone()), true).unwrap();
        Self { bucket, objects, _folder: folder }
    }

    /// A bucket of an S3 server that keeps objects as files, and checks signatures. Its gate is open as long as the flag is set.
    async fn s3() -> (Self, Arc<AtomicBool>) {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bucket = s3_bucket(listener.local_addr().unwrap(), "clicks");
        let open = serve(listener, &folder);
        let objects = folder.path().join("clicks");
        fs::create_dir(&objects).unwrap();
        (Self { bucket, objects, _folder: folder }, open)
    }

    /// The names of the files, sorted, but for the server's own.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        walk(&self.objects, &mut |path| {
            let name = path.strip_prefix(&self.objects).unwrap().to_str().unwrap();
            names.push(name.to_owned());
        });
        names.sort();
        names
    }
}

fn walk(folder: &std::path::Path, see: &mut dyn FnMut(&std::path::Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, see) } else { see(&path) }
    }
}

fn s3_bucket(address: SocketAddr, name: &str) -> Bucket {
    let store = s3::open(AmazonS3Builder::new(), name, Some(&format!("http://{address}"))).unwrap();
    Bucket { store: Arc::new(store), kind: Kind::S3, place: format!("s3://{name}") }
}

fn unused_s3_bucket() -> Bucket {
    s3_bucket(([127, 0, 0, 1], 9).into(), "clicks")
}

fn serve(listener: TcpListener, folder: &TempDir) -> Arc<AtomicBool> {
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
    service.set_auth(SimpleAuth::from_single("test", "test"));
    let service = HandleError::new(service.build(), async |_| StatusCode::INTERNAL_SERVER_ERROR);
    let open = Arc::new(AtomicBool::new(true));
    let gate = Arc::clone(&open);
    let gated = from_fn(move |request: Request, next: Next| {
        let open = gate.load(Ordering::SeqCst);
        async move {
            if open {
                return next.run(request).await;
            }
            let body = "<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code>\n<Message>Please reduce your\nrate.</Message></Error>";
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    });
    let app = Router::new().fallback_service(service).layer(gated);
    tokio::spawn(async move { axum::serve(listener, app).await });
    open
}

async fn put(bucket: &Bucket, path: &str, bytes: &'static str) {
    bucket.put(path, Bytes::from_static(bytes.as_bytes())).await.unwrap();
}

async fn get(bucket: &Bucket, path: &str) -> Option<Vec<u8>> {
    bucket.get(path, 1024).await.unwrap().map(|contents| contents.bytes)
}

/// Names that AWS allows, and what becomes of them: the same in a folder as on S3.
const NAMES: [(&str, &str); 12] = [
    ("firehose/2026/11/20/08/x", "firehose/2026/11/20/08/x"),
    ("species=Chimera/good evil=Evil/x", "species=Chimera/good evil=Evil/x"),
    ("Größe/日本/🐉/x", "Größe/日本/🐉/x"),
    ("100%/%2E%2E/%41+&?*#1:;@$,'\"<>|^~`[]{}()!/x", "100%/%2E%2E/%41+&?*#1:;@$,'\"<>|^~`[]{}()!/x"),
    ("..\\..\\x", "..\\..\\x"),
    ("../../etc/./x", "%2E%2E/%2E%2E/etc/%2E/x"),
    ("up/..", "up/%2E%2E"),
    ("...", "..."),
    ("/a//b/x/", "a/b/x"),
    ("a\nb\t\0\u{7f}é/x", "a%0Ab%09%00%7Fé/x"),
    ("C|/C:/x", "C|/C:/x"),
    (" /~/x", " /~/x"),
];

#[tokio::test]
async fn objects_in_a_folder_have_readable_names_and_stay_inside() {
    for (name, expected) in NAMES {
        let place = Place::folder();
        put(&place.bucket, name, "here").await;
        assert_eq!(place.names(), [expected], "{name:?}");
        assert_eq!(get(&place.bucket, name).await.as_deref(), Some(b"here".as_slice()), "{name:?}");
    }
}

#[tokio::test]
async fn objects_on_s3_have_the_same_names() {
    let (place, _) = Place::s3().await;
    for (name, expected) in NAMES {
        put(&place.bucket, name, "here").await;
        assert_eq!(fs::read(place.objects.join(expected)).unwrap(), b"here", "{name:?}");
        assert_eq!(get(&place.bucket, name).await.as_deref(), Some(b"here".as_slice()), "{name:?}");
    }
}

#[tokio::test]
async fn names_too_long_for_a_storage_lose_their_middle() {
    let long = format!("p/{}/{}-{NAME}", "é".repeat(200), "x".repeat(200));
    let place = Place::folder();
    put(&place.bucket, &long, "here").await;
    let names = place.names();
    let segments: Vec<&str> = names[0].split('/').collect();
    assert!(segments[1].starts_with("éé") && segments[1].ends_with("éé") && segments[1].contains('…'), "{names:?}");
    assert!(segments[2].starts_with("xx") && segments[2].ends_with(&NAME[20..]), "{names:?}");
    assert!(segments.iter().all(|segment| segment.len() <= folder::MAX_NAME_BYTES), "{names:?}");
    assert_eq!(get(&place.bucket, &long).await.as_deref(), Some(b"here".as_slice()));

    // To S3 only the whole name is too long.
    let (place, _) = Place::s3().await;
    assert_eq!(place.bucket.location(&long).as_ref(), long);
    let location = place.bucket.location(&format!("{}{NAME}", "../".repeat(300)));
    assert!((1000..=MAX_KEY_BYTES).contains(&location.as_ref().len()), "{location}");
    assert!(location.as_ref().starts_with("%2E%2E/%2E%2E/") && location.as_ref().ends_with(NAME), "{location}");
}

#[tokio::test]
async fn an_object_that_is_put_again_is_one_object() {
    let (s3, _) = Place::s3().await;
    for place in [Place::folder(), s3] {
        put(&place.bucket, "a/x", "first").await;
        put(&place.bucket, "a/x", "second").await;
        let objects = place.names().into_iter().filter(|name| name.ends_with('x')).collect::<Vec<_>>();
        assert_eq!(objects, ["a/x"]);
        assert_eq!(get(&place.bucket, "a/x").await.as_deref(), Some(b"second".as_slice()));
        assert_eq!(get(&place.bucket, "a/y").await, None);
        assert_eq!(get(&place.bucket, "b/x").await, None);
    }
}

#[tokio::test]
async fn a_storage_that_refuses_for_a_while_takes_the_object_later() {
    let (place, open) = Place::s3().await;
    open.store(false, Ordering::SeqCst);
    let error = place.bucket.put("a/x", Bytes::from_static(b"here")).await.unwrap_err().to_string();
    assert_eq!(error, "could not write s3://clicks/a/x: 503 Service Unavailable: SlowDown: Please reduce your rate.");
    let error = place.bucket.get("a/x", 10).await.unwrap_err().to_string();
    assert!(error.starts_with("could not read s3://clicks/a/x: 503 Service Unavailable: SlowDown"), "{error}");
    open.store(true, Ordering::SeqCst);
    put(&place.bucket, "a/x", "here").await;
    assert_eq!(get(&place.bucket, "a/x").await.as_deref(), Some(b"here".as_slice()));
}

#[tokio::test]
async fn a_storage_that_is_not_there_yet_takes_the_object_later() {
    // Nobody else gets the port, and nothing listens yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let bucket = s3_bucket(socket.local_addr().unwrap(), "clicks");
    let error = bucket.put("a/x", Bytes::from_static(b"here")).await.unwrap_err().to_string();
    assert!(error.starts_with("could not write s3://clicks/a/x: Connection refused"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("clicks")).unwrap();
    serve(socket.listen(16).unwrap(), &folder);
    put(&bucket, "a/x", "here").await;
    assert_eq!(fs::read(folder.path().join("clicks/a/x")).unwrap(), b"here");
}

#[tokio::test]
async fn what_s3_answers_is_told_in_one_line() {
    let no_bucket =
        "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>No such\n bucket</Message></Error>";
    for (status, body, expected) in [
        (404, no_bucket, "404 Not Found: NoSuchBucket: No such bucket"),
        (500, "", "500 Internal Server Error"),
        (400, "<html><h1>No\n</h1></html>", "400 Bad Request"),
        (403, "no\n\tentry", "403 Forbidden: no entry"),
        (301, "", "Received redirect without LOCATION, this normally indicates an incorrectly configured region"),
        (400, &"é".repeat(500), &format!("400 Bad Request: {}…", "é".repeat(MAX_CAUSE_CHARACTERS - 17))),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bucket = s3_bucket(listener.local_addr().unwrap(), "clicks");
        let answer = (StatusCode::from_u16(status).unwrap(), body.to_owned());
        let app = Router::new().fallback(async move || answer.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let error = bucket.put("a/x", Bytes::from_static(b"here")).await.unwrap_err().to_string();
        assert_eq!(error, format!("could not write s3://clicks/a/x: {expected}"));
        server.abort();
    }
}

#[tokio::test]
async fn a_folder_that_refuses_says_where_and_why() {
    let place = Place::folder();
    fs::write(place.objects.join("a"), "a file").unwrap();
    let error = place.bucket.put("a/x", Bytes::from_static(b"here")).await.unwrap_err().to_string();
    let expected = format!("could not write {}/a/x: Not a directory (os error 20)", place.objects.display());
    assert_eq!(error, expected);

    let file = Destination::Folder(place.objects.join("a"));
    let error = Bucket::open(&file, false).unwrap_err();
    assert_eq!(error.to_string(), format!("could not open the folder {}/a (`--destination`)", place.objects.display()));
    assert!(error.source().is_some());
}

#[test]
fn what_a_killed_process_left_unfinished_is_removed() {
    let place = Place::folder();
    let kept = [
        format!("{NAME}.gz"),
        NAME.to_owned(),
        "a#1".to_owned(),
        format!("{}#1", "a".repeat(60)),
        format!("{NAME}#"),
        format!("{NAME}#x"),
    ];
    let removed = [format!("{NAME}#1"), format!("{NAME}.gz#12")];
    let folder = place.objects.join("firehose/2026");
    fs::create_dir_all(&folder).unwrap();
    for name in kept.iter().chain(&removed) {
        fs::write(folder.join(name), "x").unwrap();
    }
    Bucket::open(&Destination::Folder(place.objects.clone()), false).unwrap();
    let mut expected: Vec<String> = kept.iter().map(|name| format!("firehose/2026/{name}")).collect();
    expected.sort();
    assert_eq!(place.names(), expected);
}

/// Bytes that gzip can't make shorter.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[tokio::test]
async fn the_start_of_an_object_is_read_and_decompressed() {
    let (line, noisy) = (b"{\"mysfit\":1}\n".repeat(1000), noise(300_000));
    let gzip = |bytes: &[u8]| super::gzip(bytes).unwrap();
    let two_members = [gzip(b"one,"), gzip(b"two")].concat();
    let mut cut = gzip(&line).to_vec();
    cut.truncate(60);
    let mut broken = gzip(&noisy).to_vec();
    broken[200_000..].fill(0);
    let not_gzip = b"\x1f\x8bnot".to_vec();
    let (s3, _) = Place::s3().await;
    for place in [Place::folder(), s3] {
        for (case, stored, at_most, expected, truncated) in [
            ("plain", Bytes::from(line.clone()), 20_000, &line[..], false),
            ("plain to the byte", line.clone().into(), 13_000, &line[..], false),
            ("plain start", line.clone().into(), 5, b"{\"mys", true),
            ("plain start of much", noisy.clone().into(), 5, &noisy[..5], true),
            ("empty", Bytes::new(), 5, b"", false),
            ("gzip", gzip(&line), 20_000, &line[..], false),
            ("gzip to the byte", gzip(&line), 13_000, &line[..], false),
            ("gzip start", gzip(&line), 12_999, &line[..12_999], true),
            ("gzip start of much", gzip(&noisy), 200_000, &noisy[..200_000], true),
            ("gzip of nothing", gzip(b""), 5, b"", false),
            ("gzip members", two_members.clone().into(), 20, b"one,two", false),
            ("gzip magic alone", not_gzip.clone().into(), 20, &not_gzip[..], false),
        ] {
            place.bucket.put("x", stored).await.unwrap();
            let contents = place.bucket.get("x", at_most).await.unwrap().unwrap();
            assert_eq!((contents.bytes == expected, contents.truncated), (true, truncated), "{case}");
        }
        for (case, stored, whole) in [("cut", &cut, &line), ("broken", &broken, &noisy)] {
            place.bucket.put("x", stored.clone().into()).await.unwrap();
            let contents = place.bucket.get("x", 1_000_000).await.unwrap().unwrap();
            assert!(contents.truncated && !contents.bytes.is_empty(), "{case}");
            assert!(case == "broken" || whole.starts_with(&contents.bytes), "{case}");
        }
    }
}

#[tokio::test]
async fn a_bomb_is_read_as_far_as_is_wanted() {
    let bomb = gzip(&vec![b'0'; 32 << 20]).unwrap();
    assert!(bomb.len() < 1 << 20);
    let contents = contents::start(bomb.to_vec(), true, 1000);
    assert_eq!(contents, Contents { bytes: vec![b'0'; 1000], truncated: true });
    assert_eq!(contents.bytes.capacity() >> 20, 0);
}

#[test]
fn compression_is_the_same_each_time() {
    let bytes = b"{\"mysfit\":1}\n".repeat(100);
    let first = gzip(&bytes).unwrap();
    assert!(first.len() < bytes.len() / 5);
    assert_eq!(first, gzip(&bytes).unwrap());
}

#[tokio::test]
async fn objects_on_s3_tell_what_they_are() {
    let (place, _) = Place::s3().await;
    for (compression, encoding) in [(Compression::None, None), (Compression::Gzip, Some("gzip"))] {
        let name = object_name("", "clicks", jiff::Timestamp::UNIX_EPOCH, uuid::Uuid::nil(), compression);
        put(&place.bucket, &name, "here").await;
        let found = place.bucket.store.get(&place.bucket.location(&name)).await.unwrap();
        let attribute = |name| found.attributes.get(&name).map(AsRef::as_ref);
        assert_eq!(attribute(Attribute::ContentType), Some("application/octet-stream"));
        assert_eq!(attribute(Attribute::ContentEncoding), encoding);
    }
}

#[test]
fn every_name_has_a_place() {
    let segment = "(\\.{0,3}|\\PC{0,20}|[\0-\u{7f}]{0,300}|[é日]{0,300})";
    let buckets = [(Place::folder().bucket, folder::MAX_NAME_BYTES), (unused_s3_bucket(), MAX_KEY_BYTES)];
    proptest!(|(segments in proptest::collection::vec(segment, 1..9))| {
        let name = format!("{}/{NAME}", segments.join("/"));
        for (bucket, longest) in &buckets {
            let location = bucket.location(&name);
            let location = location.as_ref();
            prop_assert!(location.len() <= MAX_KEY_BYTES && location.ends_with(NAME), "{location}");
            prop_assert!(!location.contains(|character: char| character.is_ascii_control()), "{location}");
            for segment in location.split('/') {
                prop_assert!(!matches!(segment, "" | "." | "..") && segment.len() <= *longest, "{location}");
            }
        }
    });
}
