//! `GET /pipeline/`: the page with its stylesheets in it, so that the first paint needs one response.

use std::io;
use std::path::{Component, Path, PathBuf};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::error_response::error;
use super::pages::Pages;

const FOLDER: &str = "pipeline";
const LINK: &str = "<link rel=\"stylesheet\" href=\"";
const LINK_END: &str = "\">";

/// Of one response. The guard adds it to the response's policy.
#[derive(Debug, Clone)]
pub(super) struct StyleNonce(pub(super) String);

pub(super) fn router(pages: Pages) -> Router {
    Router::new().route("/pipeline/", get(show)).with_state(pages)
}

async fn show(State(pages): State<Pages>) -> Response {
    let nonce = Uuid::new_v4().simple().to_string();
    let of_page = nonce.clone();
    match spawn_blocking(move || page(&pages, &of_page)).await {
        Ok(Ok(html)) => ([(header::CONTENT_TYPE, "text/html")], Extension(StyleNonce(nonce)), html).into_response(),
        Ok(Err(_)) | Err(_) => error(StatusCode::NOT_FOUND, "unknown page"),
    }
}

fn page(pages: &Pages, nonce: &str) -> io::Result<String> {
    let html = pages.read_to_string(&Path::new(FOLDER).join("index.html"))?;
    Ok(with_styles(&html, nonce, |href| pages.read_to_string(&resolved(href)?).ok().filter(|css| can_be_inline(css))))
}

/// Replaces the links to stylesheets that `read` finds.
fn with_styles(html: &str, nonce: &str, read: impl Fn(&str) -> Option<String>) -> String {
    let mut page = String::new();
    let mut rest = html;
    while let Some((before, link)) = rest.split_once(LINK) {
        page.push_str(before);
        rest = link;
        let css = link.split_once(LINK_END).and_then(|(href, after)| Some((read(href)?, after)));
        if let Some((css, after)) = css {
            page.extend(["<style nonce=\"", nonce, "\">\n", &css, "</style>"]);
            rest = after;
        } else {
            page.push_str(LINK);
        }
    }
    page + rest
}

/// The path of a reference of the page in the folder of all pages. None if it is above that, or no relative path.
fn resolved(href: &str) -> Option<PathBuf> {
    let mut path = PathBuf::from(FOLDER);
    for component in Path::new(href).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// References of a stylesheet are relative to its own file, which may be in another folder. `</style` would be its end.
fn can_be_inline(css: &str) -> bool {
    let css = css.to_ascii_lowercase();
    !["url(", "@import", "</style"].iter().any(|text| css.contains(text))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn link(href: &str) -> String {
        format!("{LINK}{href}{LINK_END}")
    }

    #[test]
    fn links_to_stylesheets_are_replaced() {
        let read = |href: &str| match href {
            "../style.css" => Some("a {}\n".to_owned()),
            "pipeline.css" => Some("b { content: \"\\\"><link\" }\n".to_owned()),
            _ => None,
        };
        let style = |css: &str| format!("<style nonce=\"N\">\n{css}\n</style>");
        for (html, expected) in [
            ("<p>text</p>".to_owned(), "<p>text</p>".to_owned()),
            (format!("<head>{}<body>", link("../style.css")), format!("<head>{}<body>", style("a {}"))),
            // In their order, with the others between.
            (
                format!("{}\n{}{}\n", link("pipeline.css"), link("missing.css"), link("../style.css")),
                format!("{}\n{}{}\n", style("b { content: \"\\\"><link\" }"), link("missing.css"), style("a {}")),
            ),
            // Not a stylesheet, other attributes, and no end.
            (
                "<link rel=\"icon\" href=\"../style.css\">".to_owned(),
                "<link rel=\"icon\" href=\"../style.css\">".to_owned(),
            ),
            (format!("{LINK}../style.css\" media=\"print\">"), format!("{LINK}../style.css\" media=\"print\">")),
            (format!("{LINK}../style.css"), format!("{LINK}../style.css")),
        ] {
            assert_eq!(with_styles(&html, "N", read), expected, "{html}");
        }
    }

    #[test]
    fn references_stay_in_the_folder_of_the_pages() {
        for (href, path) in [
            ("pipeline.css", Some("pipeline/pipeline.css")),
            ("./uplot/uPlot.min.css", Some("pipeline/uplot/uPlot.min.css")),
            ("../style.css", Some("style.css")),
            ("../pipeline/../style.css", Some("style.css")),
            ("../../style.css", None),
            ("../../../etc/style.css", None),
            ("/style.css", None),
            // A file of this name, which does not exist.
            ("https://a.example/style.css", Some("pipeline/https:/a.example/style.css")),
        ] {
            assert_eq!(resolved(href).as_deref(), path.map(Path::new), "{href}");
        }
    }

    #[test]
    fn a_stylesheet_with_references_stays_a_link() {
        for (css, expected) in [
            ("a { color: red }", true),
            ("a { background: URL(a.svg) }", false),
            ("@import 'a.css';", false),
            ("a::after { content: '</STYLE>' }", false),
        ] {
            assert_eq!(can_be_inline(css), expected, "{css}");
        }
    }

    #[test]
    fn files_are_read_for_each_page() {
        let web = tempfile::tempdir().unwrap();
        let pages = Pages::Folder(web.path().to_owned());
        fs::create_dir(web.path().join(FOLDER)).unwrap();
        assert_eq!(page(&pages, "N").unwrap_err().kind(), io::ErrorKind::NotFound);
        let html = link("../style.css") + &link("none.css");
        fs::write(web.path().join(FOLDER).join("index.html"), &html).unwrap();
        assert_eq!(page(&pages, "N").unwrap(), html);
        fs::write(web.path().join("style.css"), "a {}\n").unwrap();
        assert_eq!(page(&pages, "N").unwrap(), "<style nonce=\"N\">\na {}\n</style>".to_owned() + &link("none.css"));
    }
}
