//! The guide as a book: every chapter is in it, its code is tested, and every link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The chapters whose code is compiled and run.
const TESTED: &str = include_str!("../src/guide.rs");

const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// A file or folder of the repository.
fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The lines of a page without its code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Where the links of a page lead.
fn links(page: &str) -> Vec<&str> {
    prose(page)
        .flat_map(|line| line.split("](").skip(1).filter_map(|rest| rest.split(')').next()))
        .collect()
}

/// The file that a link of the page at `from` leads to; `None` on another site.
fn file_of(link: &str, from: &Path) -> Option<PathBuf> {
    let of_ours = [REPOSITORY.to_owned() + "/blob/main/", REPOSITORY.to_owned() + "/tree/main/"];
    if let Some(file) = of_ours.iter().find_map(|ours| link.strip_prefix(&**ours)) {
        Some(at(file))
    } else if link.contains("://") {
        None
    } else if link.is_empty() {
        Some(from.to_owned())
    } else {
        Some(from.with_file_name(link))
    }
}

/// What a heading is linked with, as GitHub and mdBook make it.
fn slug(heading: &str) -> String {
    let is_kept = |it: &char| it.is_alphanumeric() || [' ', '-', '_'].contains(it);
    heading.chars().filter(is_kept).collect::<String>().to_lowercase().replace(' ', "-")
}

/// What a page can be linked with: its headings, and its anchors.
fn anchors(page: &str) -> BTreeSet<String> {
    let heading = |line: &str| Some(slug(line.strip_prefix('#')?.trim_start_matches('#').trim()));
    let headings = prose(page).filter_map(heading);
    let anchor = |rest: &str| rest.split('"').next().map(String::from);
    headings.chain(page.split("<a id=\"").skip(1).filter_map(anchor)).collect()
}

fn chapters() -> BTreeSet<String> {
    let entries = fs::read_dir(at("docs/guide")).expect("the guide");
    entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect()
}

#[test]
fn every_chapter_is_in_the_table_of_contents_once_and_its_code_is_tested() {
    let contents = fs::read_to_string(at("docs/SUMMARY.md")).expect("the table of contents");
    let listed = links(&contents);
    for chapter in chapters() {
        let count = listed.iter().filter(|it| **it == format!("guide/{chapter}")).count();
        assert_eq!(count, 1, "{chapter} in docs/SUMMARY.md");
        assert!(TESTED.contains(&format!("\"{chapter}\"")), "{chapter} in tests/src/guide.rs");
    }
}

/// A line that rustdoc hides is shown where the page is read in the repository.
#[test]
fn every_piece_of_code_is_compiled_and_shown_whole() {
    for chapter in chapters() {
        let page = fs::read_to_string(at("docs/guide").join(&chapter)).expect("a chapter");
        let mut is_open = false;
        for line in page.lines() {
            if line.starts_with("```") {
                is_open = !is_open;
                let kinds =
                    ["```rust", "```rust,no_run", "```rust,compile_fail", "```sh", "```text"];
                assert!(!is_open || kinds.contains(&line), "{chapter}: {line}");
            }
            assert!(!is_open || !line.starts_with("# "), "{chapter}: {line} is hidden");
        }
        assert!(!is_open, "{chapter}: code without an end");
    }
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_a_heading_in_it() {
    let mut pages: Vec<PathBuf> =
        chapters().iter().map(|chapter| at("docs/guide").join(chapter)).collect();
    let folders = [
        "",
        "adapter-async-std",
        "adapter-smol",
        "adapter-tokio",
        "bench",
        "chat",
        "core",
        "docs",
        "examples",
        "fuzz",
    ];
    pages.extend(folders.map(|folder| at(folder).join("README.md")));
    let others = [
        "CONTRIBUTING",
        "SECURITY",
        "docs/SUMMARY",
        "docs/contract",
        "docs/performance",
        "docs/scaling",
    ];
    pages.extend(others.map(|page| at(page).with_extension("md")));
    let mut count = 0;
    for path in pages {
        let page = fs::read_to_string(&path).expect("a page");
        for link in links(&page) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let Some(to) = file_of(file, &path) else { continue };
            assert!(to.exists(), "{}: {link}", path.display());
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(&to).expect("a page"));
                assert!(there.contains(anchor), "{}: {link}", path.display());
            }
            count += 1;
        }
    }
    assert!(count > 100, "{count} links were found");
}
