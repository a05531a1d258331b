use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::error_handling::HandleError;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use proptest::prelude::*;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};

use super::*;

mod over_s3;
mod reading;
mod unfinished;

const NAME: &str = "clicks-1-2026-11-20-08-22-01-00000000-0000-0000-0000-000000000000";

/// A bucket whose objects are files in a folder.
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

    /// A bucket of an S3 server that stores objects as files and checks signatures. It refuses requests unless the flag is set.
    async fn s3() -> (Self, Arc<AtomicBool>) {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bucket = s3_bucket(listener.local_addr().unwrap(), "clicks");
        let open = serve(listener, &folder);
        let objects = folder.path().join("clicks");
        fs::create_dir(&objects).unwrap();
        (Self { bucket, objects, _folder: folder }, open)
    }

    /// The sorted names of the files, without the server's own.
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
    let store = S3::open(|_| None, name, Some(&format!("http://{address}"))).unwrap();
    Bucket { store: Store::S3(store), place: format!("s3://{name}") }
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
    bucket.put(path, Bytes::from_static(bytes.as_bytes()), Compression::None).await.unwrap();
}

async fn get(bucket: &Bucket, path: &str) -> Option<Vec<u8>> {
    bucket.get(path, 1024).await.unwrap().map(|contents| contents.bytes)
}

/// Keys that S3 accepts, and the names of their files in a folder.
const KEYS: [(&str, &str); 19] = [
    ("firehose/2026/11/20/08/x", "firehose/2026/11/20/08/x"),
    ("species=Chimera/good evil=Evil/x", "species=Chimera/good evil=Evil/x"),
    ("Größe/日本/🐉/x", "Größe/日本/🐉/x"),
    ("100%/%41+&?*#1:;@$,'\"<>|^~`[]{}()!/x", "100%/%41+&?*#1:;@$,'\"<>|^~`[]{}()!/x"),
    ("..\\..\\x", "..\\..\\x"),
    ("...", "..."),
    ("C|/C:/x", "C|/C:/x"),
    (" /~/x", " /~/x"),
    ("/lead/x", "%/lead/x"),
    ("x//y/x", "x/%/y/x"),
    ("//a///x", "%/%/a/%/%/x"),
    ("../../etc/./x", "%2E%2E/%2E%2E/etc/%2E/x"),
    ("up/..", "up/%2E%2E"),
    ("%2E%2E/%/%%00/%25/x", "%252E%252E/%25/%%2500/%2525/x"),
    ("a\nb\t\0\u{7f}é/x", "a%0Ab%09%00%7Fé/x"),
    ("a%-/b%+/c%=", "a%25-/b%25+/c%25="),
    ("a/x#12", "a/x%2312"),
    ("a#1/x#y#12", "a#1/x#y%2312"),
    ("%/x", "%25/x"),
];

#[tokio::test]
async fn objects_in_a_folder_have_readable_names_and_stay_inside() {
    for (key, name) in KEYS {
        let place = Place::folder();
        put(&place.bucket, key, "here").await;
        assert_eq!(place.names(), [name], "{key:?}");
        assert_eq!(get(&place.bucket, key).await.as_deref(), Some(b"here".as_slice()), "{key:?}");
        assert_eq!(names::decoded(name), key);
    }
}

async fn keys(bucket: &Bucket, prefix: &str) -> Vec<String> {
    bucket.find(prefix, None).await.unwrap().objects.iter().map(|object| object.key.clone()).collect()
}

/// An S3 server that accepts each key unchanged: objects by the path on the wire, without the bucket.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<BTreeMap<String, Bytes>>>);

impl Wire {
    async fn start() -> (Bucket, Self) {
        let wire = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bucket = s3_bucket(listener.local_addr().unwrap(), "clicks");
        let answers = wire.clone();
        let app = Router::new().fallback(async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            answers.answer(&method, &uri, &headers, body)
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        (bucket, wire)
    }

    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> (StatusCode, Bytes) {
        let mut objects = self.0.lock().unwrap();
        let path = uri.path().strip_prefix("/clicks").unwrap();
        let Some(key) = path.strip_prefix('/').filter(|key| !key.is_empty()) else {
            let query = uri.query().unwrap();
            let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix=")).unwrap_or_default();
            let prefix = prefix.replace("%2F", "/");
            let objects = objects.iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(key, body)| {
                format!("<Contents><Key>{key}</Key><Size>{}</Size><ETag>&quot;1&quot;</ETag></Contents>", body.len())
            });
            let list = format!(
                "<ListBucketResult><EncodingType>url</EncodingType>{}</ListBucketResult>",
                objects.collect::<String>()
            );
            return (StatusCode::OK, list.into());
        };
        match (method, headers.get("x-amz-copy-source")) {
            (&Method::PUT, Some(source)) => {
                let source = source.to_str().unwrap().strip_prefix("clicks/").unwrap();
                let copy = objects[source].clone();
                objects.insert(key.to_owned(), copy);
                (StatusCode::OK, "<CopyObjectResult/>".into())
            }
            (&Method::PUT, None) => {
                objects.insert(key.to_owned(), body);
                (StatusCode::OK, Bytes::new())
            }
            (&Method::DELETE, _) => {
                objects.remove(key).unwrap();
                (StatusCode::NO_CONTENT, Bytes::new())
            }
            _ => objects.get(key).map_or((StatusCode::NOT_FOUND, Bytes::new()), |body| (StatusCode::OK, body.clone())),
        }
    }

    fn paths(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

#[tokio::test]
async fn objects_are_listed_by_a_prefix_with_all_its_slashes() {
    let (bucket, _) = Wire::start().await;
    for key in ["a/x", "a//x", "/a/x", "ab/x", "a"] {
        put(&bucket, key, "here").await;
    }
    for (prefix, one_of, expected) in [
        ("", None, &["/a/x", "a", "a//x", "a/x", "ab/x"][..]),
        ("/", None, &["/a/x"]),
        ("a/", None, &["a//x", "a/x"]),
        ("a//", None, &["a//x"]),
        ("a/", Some("a"), &["a", "a//x", "a/x"]),
        ("b/", Some("b"), &[]),
    ] {
        let found = bucket.find(prefix, one_of).await.unwrap().objects;
        assert_eq!(found.iter().map(|object| &object.key).collect::<Vec<_>>(), expected, "{prefix}");
    }
}

#[tokio::test]
async fn keys_below_the_key_of_an_object_have_a_place_in_a_folder() {
    for (first, second, names) in [
        ("a", "a/b", ["a", "a%+/b"]),
        ("a/b", "a", ["a%=", "a/b"]),
        ("a", "a//b", ["a", "a%+/%/b"]),
        ("", "/a", ["%", "%%+/a"]),
    ] {
        let place = Place::folder();
        put(&place.bucket, first, "first").await;
        put(&place.bucket, second, "second").await;
        assert_eq!(place.names(), names);
        for again in 0..2 {
            assert_eq!(get(&place.bucket, first).await.as_deref(), Some(b"first".as_slice()), "{first} {again}");
            assert_eq!(get(&place.bucket, second).await.as_deref(), Some(b"second".as_slice()), "{second} {again}");
            let mut expected = [first, second];
            expected.sort_unstable();
            assert_eq!(keys(&place.bucket, "").await, expected);
            put(&place.bucket, second, "second").await;
        }
    }
    // The file or folder of the same name is removed.
    let place = Place::folder();
    put(&place.bucket, "a", "first").await;
    put(&place.bucket, "a/b", "second").await;
    fs::remove_file(place.objects.join("a")).unwrap();
    put(&place.bucket, "a/c", "third").await;
    assert_eq!(place.names(), ["a%+/b", "a/c"]);
    for (key, expected) in [("a/b", "second"), ("a/c", "third")] {
        assert_eq!(get(&place.bucket, key).await.as_deref(), Some(expected.as_bytes()), "{key}");
    }
    let moved = place.bucket.find("", None).await.unwrap().objects;
    place.bucket.rename(&moved[0], "a").await.unwrap();
    assert_eq!(
        (place.names(), keys(&place.bucket, "").await),
        (vec!["a%=".to_owned(), "a/c".to_owned()], vec!["a".to_owned(), "a/c".to_owned()])
    );
}

#[tokio::test]
async fn files_from_elsewhere_keep_their_names() {
    let place = Place::folder();
    for name in ["a%2Fb", "%41", "x%2e", "b%-"] {
        fs::write(place.objects.join(name), "here").unwrap();
    }
    assert_eq!(keys(&place.bucket, "").await, ["%41", "a%2Fb", "b%-", "x%2e"]);
}

#[tokio::test]
async fn keys_too_long_for_a_file_system_get_folders_and_keys_too_long_for_s3_lose_their_middle() {
    let long = format!("p/{}/{}.-{NAME}", "é".repeat(200), "x".repeat(480));
    let place = Place::folder();
    put(&place.bucket, &long, "here").await;
    let names = place.names();
    assert!(names[0].split('/').all(|name| name.len() < 250), "{names:?}");
    assert_eq!(names[0].replace("%-/%2E", ".").replace("%-/", ""), long);
    assert_eq!(
        (get(&place.bucket, &long).await.as_deref(), keys(&place.bucket, "").await),
        (Some(b"here".as_slice()), vec![long])
    );

    // The part behind the cut is encoded like a separate part, so it is not hidden.
    let cut = "x".repeat(240);
    for (end, name) in
        [("%", "%25"), (".", "%2E"), ("..", "%2E."), (".gz", "%2Egz"), ("%=", "%25="), ("#1", "%231"), ("%/y", "%25/y")]
    {
        let (key, name) = (format!("{cut}{end}"), format!("{cut}%-/{name}"));
        assert_eq!((names::encoded(&key).join("/"), names::decoded(&name)), (name, key));
    }

    let too_long = format!("{}{NAME}", "../".repeat(400));
    let (bucket, wire) = Wire::start().await;
    for bucket in [&place.bucket, &bucket] {
        put(bucket, &too_long, "here").await;
        assert_eq!(get(bucket, &too_long).await.as_deref(), Some(b"here".as_slice()));
    }
    let path = wire.paths().remove(0);
    assert!((1000..=MAX_KEY_BYTES + 6).contains(&path.len()) && path.ends_with(NAME), "{path}");
}

#[test]
fn every_key_has_one_name_and_every_name_one_key() {
    let part = "(\\.{0,3}|\\PC{0,20}|[\0-\u{7f}]{0,300}|[é日]{0,300}|[%2EF05+=#-]{0,9}|x{236,244}[%.#1+=-]{0,3})";
    proptest!(|(parts in proptest::collection::vec(part, 1..9))| {
        let key = parts.join("/");
        let name = names::encoded(&key).join("/");
        let hidden = |path: &str| path.split('/').filter(|part| part.starts_with('.') && !matches!(*part, "." | "..")).count();
        prop_assert_eq!(hidden(&name), hidden(&key), "{}", name);
        prop_assert_eq!(names::decoded(&name), key);
        prop_assert!(!name.contains(|character: char| character.is_ascii_control()), "{}", name);
        for part in name.split('/') {
            prop_assert!(!matches!(part, "" | "." | "..") && part.len() <= 244, "{}", name);
        }
        prop_assert!(object_store::path::Path::parse(&name).is_ok_and(|path| path.as_ref() == name), "{}", name);
    });
}

#[tokio::test]
async fn only_regular_files_below_the_folder_are_read() {
    let place = Place::folder();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    put(&place.bucket, "a/x", "here").await;
    let at = |name: &str| place.objects.join(name);
    symlink(outside.path().join("secret"), at("link")).unwrap();
    symlink(outside.path(), at("folder")).unwrap();
    symlink(at("a/x"), at("inside")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("/dev/zero", at("zero")).unwrap();
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for key in ["link", "folder/secret", "inside", "loop", "loop/x", "zero", "fifo", "fifo/x", "socket", "a", "../out"]
    {
        assert_eq!(get(&place.bucket, key).await, None, "{key}");
    }
    assert_eq!(get(&place.bucket, "a/x").await.as_deref(), Some(b"here".as_slice()));
    // The root may be a link, because the user named it.
    let link = outside.path().join("root");
    symlink(&place.objects, &link).unwrap();
    let bucket = Bucket::open(&Destination::Folder(link), false).unwrap();
    assert_eq!(get(&bucket, "a/x").await.as_deref(), Some(b"here".as_slice()));
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
async fn an_error_of_a_folder_has_the_place_and_the_cause() {
    let place = Place::folder();
    // A disk that is not mounted.
    symlink("missing", place.objects.join("disk")).unwrap();
    let error =
        place.bucket.put("disk/x", Bytes::from_static(b"here"), Compression::None).await.unwrap_err().to_string();
    let expected = format!("could not write {}/disk/x: File exists (os error 17)", place.objects.display());
    assert_eq!(error, expected);

    fs::write(place.objects.join("a"), "a file").unwrap();
    let file = Destination::Folder(place.objects.join("a"));
    let error = Bucket::open(&file, false).unwrap_err();
    assert_eq!(error.to_string(), format!("could not open the folder {}/a (`--destination`)", place.objects.display()));
    assert!(error.source().is_some());
}
