//! The files of the pages: those in this executable, or those of a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};
use tower_http::services::ServeDir;

use super::error_response::error;

// `FILES`: the path and the contents of each file of `web`, by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/pages.rs"));

const INDEX: &str = "index.html";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pages {
    Embedded,
    /// Read for each response: they change while a developer works on them.
    Folder(PathBuf),
}

impl Pages {
    pub(super) fn read_to_string(&self, path: &Path) -> io::Result<String> {
        match self {
            Self::Folder(folder) => fs::read_to_string(folder.join(path)),
            Self::Embedded => {
                let contents = path.to_str().and_then(embedded).ok_or(io::ErrorKind::NotFound)?;
                String::from_utf8(contents.to_vec()).map_err(io::Error::other)
            }
        }
    }

    /// Responds to the requests that no other route has.
    pub(super) fn serve<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        match self {
            Self::Folder(folder) => router.fallback_service(ServeDir::new(folder).fallback(any(async || unknown()))),
            Self::Embedded => router.fallback(get(async |uri: Uri| of_path(uri.path()))),
        }
    }
}

fn unknown() -> Response {
    error(StatusCode::NOT_FOUND, "unknown page")
}

fn embedded(name: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(file, _)| *file == name).map(|(_, contents)| *contents)
}

/// As `ServeDir`, for names without characters that a URL encodes.
fn of_path(path: &str) -> Response {
    let name = path.trim_start_matches('/');
    let is_folder = name.is_empty() || name.ends_with('/');
    let name = if is_folder { format!("{name}{INDEX}") } else { name.to_owned() };
    if let Some(contents) = embedded(&name) {
        return ([(header::CONTENT_TYPE, content_type(&name))], contents).into_response();
    }
    if embedded(&format!("{name}/{INDEX}")).is_some() {
        return Redirect::temporary(&format!("/{name}/")).into_response();
    }
    unknown()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css",
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        Some("md") => "text/markdown",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_files_have_a_path() {
        for (path, status, expected) in [
            ("/", 200, Some("text/html")),
            ("/index.html", 200, Some("text/html")),
            ("/pipeline/", 200, Some("text/html")),
            ("/pipeline", 307, None),
            ("/pipeline/uplot/LICENSE", 200, Some("application/octet-stream")),
            ("/images", 404, Some("application/json")),
            ("/images/", 404, Some("application/json")),
            ("/../Cargo.toml", 404, Some("application/json")),
            ("/site.js/", 404, Some("application/json")),
            ("/%69ndex.html", 404, Some("application/json")),
        ] {
            let response = of_path(path);
            let content_type = response.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap());
            assert_eq!((response.status().as_u16(), content_type), (status, expected), "{path}");
        }
        assert_eq!(of_path("/pipeline").headers()[header::LOCATION], "/pipeline/");
    }

    #[test]
    fn only_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(INDEX), "the page").unwrap();
        let pages = Pages::Folder(folder.path().to_owned());
        assert_eq!(pages.read_to_string(Path::new(INDEX)).unwrap(), "the page");
        for pages in [pages, Pages::Embedded] {
            assert_eq!(pages.read_to_string(Path::new("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        assert!(Pages::Embedded.read_to_string(Path::new("pipeline/pipeline.css")).unwrap().contains('{'));
    }
}
