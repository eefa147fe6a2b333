//! The contract as a page: every rule can be linked to, and every link to a rule leads to one.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use asyncnet_conformance::rules::Rule;

const CONTRACT: &str = include_str!("../../docs/contract.md");
const PAGE: &str = "docs/contract.md";
const URL: &str = "https://github.com/asyncnet/asyncnet/blob/main/docs/contract.md";
const ENDS: &str = include_str!("../../driver/src/connection/ends.md");

/// The numbers of the rules, in the order of their headings.
fn rules() -> Vec<&'static str> {
    let heading = |line: &'static str| Some(line.strip_prefix("### ")?.split_once(". ")?.0);
    CONTRACT.lines().filter_map(heading).collect()
}

/// Whether `word` has the form of a rule's number.
fn is_number(word: &str) -> bool {
    let family = word.chars().next().is_some_and(|letter| letter.is_ascii_uppercase());
    family && (2..=3).contains(&word.len()) && word[1..].bytes().all(|byte| byte.is_ascii_digit())
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sources and pages below `folder`, without what was built.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs" || it == "md") {
            found.push(path);
        }
    }
}

/// The fragments of the links to `page` in `text`.
fn fragments<'a>(text: &'a str, page: &str) -> Vec<&'a str> {
    let begin = format!("{page}#");
    let is_end = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    let fragment = |rest: &'a str| rest.split(is_end).next();
    text.split(&begin).skip(1).filter_map(fragment).collect()
}

/// What a heading is linked with, as GitHub and mdBook make it.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|it| it.is_ascii_alphanumeric() || *it == ' ');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_rule_has_a_title_and_exactly_one_anchor_in_front_of_it() {
    let (mut seen, mut before) = (Vec::new(), "");
    for line in CONTRACT.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            let (rule, title) = heading.split_once(". ").expect("a number and a title");
            assert!(is_number(rule) && !title.is_empty(), "{heading}");
            let anchor = format!("<a id=\"{}\"></a>", rule.to_lowercase());
            assert_eq!(before, anchor, "in front of {heading}");
            assert_eq!(CONTRACT.matches(&anchor).count(), 1, "{anchor}");
            seen.push(rule);
        }
        before = line;
    }
    assert_eq!(seen.len(), CONTRACT.matches("<a id=").count(), "an anchor belongs to no rule");
    for rule in Rule::ALL.iter().map(|rule| format!("{rule:?}")).filter(|it| is_number(it)) {
        assert!(seen.contains(&&*rule), "{rule} has tests and is no rule");
    }
}

#[test]
fn the_table_of_contents_names_every_section_and_every_rule_in_order() {
    let mut expected = String::new();
    for line in CONTRACT.lines() {
        if let Some(section) = line.strip_prefix("## ") {
            expected += &format!("\n| [{section}](#{}) |", slug(section));
        } else if let Some((rule, _)) = line.strip_prefix("### ").and_then(|it| it.split_once(". "))
        {
            expected += &format!(" [{rule}](#{})", rule.to_lowercase());
        }
    }
    let expected: String = expected.trim_start().lines().map(|row| format!("{row} |\n")).collect();
    assert!(CONTRACT.contains(&expected), "it should be\n{expected}");
}

#[test]
fn every_link_to_the_contract_leads_to_a_rule_or_a_section() {
    let sections = CONTRACT.lines().filter_map(|line| line.strip_prefix("## "));
    let known: HashSet<String> =
        rules().into_iter().map(str::to_lowercase).chain(sections.map(slug)).collect();
    let mut sources = Vec::new();
    files(&root(), &mut sources);
    let mut links = 0;
    for path in sources {
        let text = fs::read_to_string(&path).expect("text");
        // Its own links have no page in front.
        let page = if path.ends_with(PAGE) { "](" } else { "contract.md" };
        for fragment in fragments(&text, page) {
            assert!(known.contains(fragment), "{}: #{fragment}", path.display());
            links += 1;
        }
    }
    assert!(links > rules().len(), "{links} links were found");
}

#[test]
fn every_rule_that_the_documentation_of_a_crate_names_is_a_link() {
    let rules: HashSet<&str> = rules().into_iter().collect();
    let mut sources = Vec::new();
    for folder in ["core", "driver", "adapter-tokio", "adapter-smol", "adapter-async-std", "tests"]
    {
        files(&root().join(folder).join("src"), &mut sources);
    }
    for path in sources {
        let text = fs::read_to_string(&path).expect("text");
        let is_doc = |line: &&str| line.trim_start().starts_with("///") || line.starts_with("//!");
        for line in text.lines().filter(is_doc) {
            let words = line.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            for rule in words.filter(|word| rules.contains(word)) {
                let shown = line.matches(&format!("[{rule}]")).count();
                let link = format!("{URL}#{}", rule.to_lowercase());
                let at = path.display();
                assert_eq!(line.matches(rule).count(), shown, "{at}: {rule} is no link in {line}");
                assert!(text.contains(&link), "{at}: {rule} does not lead to {link}");
            }
        }
    }
}

#[test]
fn the_table_of_ends_is_the_same_wherever_it_is() {
    for (page, text) in [(PAGE, CONTRACT), ("README.md", include_str!("../../README.md"))] {
        assert!(
            text.contains(ENDS.trim_end()),
            "{page} differs from driver/src/connection/ends.md"
        );
    }
}
