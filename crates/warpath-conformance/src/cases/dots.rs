//! `..` and `.` in link targets and at the end of paths, trailing slashes.

use super::{Draft, DraftCase, draft, fails, ok};
use warpath_core::LookupError::{LeavesRoot, NotADirectory, NotFound};

pub(super) fn drafts() -> Vec<Draft> {
    vec![up_in_links(), up_at_the_end(), up_out(), after_files(), after_directories()]
}

/// A link with `..` in its target, in the middle of a path.
fn up_in_links() -> Draft {
    let mut tree = String::from("prize b/prize ");
    let mut cases = Vec::new();
    // Where the link stands, where it leads, what the path finds behind it.
    for (name, place, target, found) in [
        ("up", "b", "..", "prize"),
        ("down-up-up", "b", "c/../..", "prize"),
        ("up-up", "b/c", "../..", "prize"),
        ("down-up-up-down", "b", "c/../../b", "b/prize"),
        ("up-up-down", "b/c", "../../b", "b/prize"),
    ] {
        for (end, suffix) in [("", ""), ("-dot", "/."), ("-slash", "/")] {
            tree += &format!("b/c/ {place}/{name}{end}->{target}{suffix} ");
            cases.push(ok(format!("{name}{end}"), format!("{place}/{name}{end}/prize"), found));
            cases.push(
                ok(format!("{name}{end}-beneath"), format!("{place}/{name}{end}/prize"), found).beneath(),
            );
        }
    }
    draft("up-in-links", tree, cases)
}

/// The same links at the end of a path, at the top and inside a directory.
fn up_at_the_end() -> Draft {
    let mut tree = String::new();
    let mut cases = Vec::new();
    for (name, top, found) in [("top", "", "/"), ("inside", "dir/", "dir")] {
        tree += &format!("{top}prize {top}b/up->.. {top}b/updot->../. ");
        for (what, link) in [("up", "b/up"), ("up-dot", "b/updot")] {
            let way = format!("{top}{link}");
            cases.extend([
                ok(format!("{name}-{what}"), way.clone(), found),
                ok(format!("{name}-{what}-beneath"), way.clone(), found).beneath(),
                ok(format!("{name}-{what}-slash"), format!("{way}/"), found),
                ok(format!("{name}-{what}-nofollow"), way.clone(), way.clone()).nofollow(),
                ok(format!("{name}-{what}-entry"), format!("{way}/prize"), format!("{top}prize")),
            ]);
        }
    }
    draft("up-at-the-end", tree, cases)
}

/// Links that lead up one, two, three and four directories from two below the start.
fn up_out() -> Draft {
    let tree = "top/a/b/1->.. top/a/b/2->../.. top/a/b/3->../../.. top/a/b/4->../../../.. file->note/.. note";
    let link = |n: usize| format!("a/b/{n}");
    draft(
        "up-out",
        tree,
        vec![
            ok("one-beneath", link(1), "top/a").beneath().at("top"),
            ok("two-beneath", link(2), "top").beneath().at("top"),
            fails("three-beneath", link(3), LeavesRoot).beneath().at("top"),
            fails("four-beneath", link(4), LeavesRoot).beneath().at("top"),
            ok("one", link(1), "top/a").at("top"),
            ok("two", link(2), "top").at("top"),
            ok("three", link(3), "/").at("top"),
            ok("four-stops-at-the-root", link(4), "/").at("top"),
            fails("link-up-from-a-file", "file", NotADirectory),
        ],
    )
}

/// A file, and more behind it.
fn after_files() -> Draft {
    let mut cases: Vec<DraftCase> = Vec::new();
    for (name, file) in [("top", "file"), ("inside", "dir/file")] {
        cases.push(ok(name, file, file));
        for (what, more) in [
            ("up-and-again", "/../file"),
            ("up", "/.."),
            ("dot", "/."),
            ("dot-dot", "/./."),
            ("dot-slash", "/./"),
            ("dot-up", "/./.."),
            ("up-dot", "/../."),
            ("up-slash", "/../"),
            ("up-and-again-slash", "/../file/"),
            ("slash", "/"),
            ("three-dots", "/..."),
        ] {
            cases.push(fails(format!("{name}-{what}"), format!("{file}{more}"), NotADirectory));
            cases.push(
                fails(format!("{name}-{what}-beneath"), format!("{file}{more}"), NotADirectory).beneath(),
            );
        }
    }
    cases.extend([
        fails("backslash-is-a-name", r"file\\.", NotFound),
        fails("backslash-is-a-name-up", r"file\\..", NotFound),
    ]);
    draft("after-files", "file dir/file", cases)
}

/// A directory, and more behind it.
fn after_directories() -> Draft {
    let cases = [
        ("plain", "dir", "dir"),
        ("slash", "dir/", "dir"),
        ("dot", "dir/.", "dir"),
        ("dot-slash", "dir/./", "dir"),
        ("up", "dir/..", "/"),
        ("up-and-again", "dir/../dir", "dir"),
        ("up-and-again-slash", "dir/../dir/", "dir"),
        ("entry", "dir/red", "dir/red"),
        ("entry-by-dot", "dir/./green", "dir/green"),
    ];
    let mut cases: Vec<DraftCase> =
        cases.iter().map(|(name, path, found)| ok(*name, *path, *found)).collect();
    cases.push(fails("three-dots", "dir/...", NotFound));
    draft("after-directories", "dir/red dir/green dir/blue", cases)
}
