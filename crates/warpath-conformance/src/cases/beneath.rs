//! Paths that may not leave their start directory.

use super::{Draft, DraftCase, draft, fails, ok};
use warpath_core::LookupError::{LeavesRoot, NotADirectory, NotFound, TooManyLinks};

pub(super) fn drafts() -> Vec<Draft> {
    vec![inside(), to_a_file(), to_a_directory(), start_below()]
}

fn beneath(cases: Vec<DraftCase>) -> Vec<DraftCase> {
    cases.into_iter().map(DraftCase::beneath).collect()
}

/// Paths that stay inside, and what fails for other reasons. `prize` is a file in one half, a directory in the other.
fn inside() -> Draft {
    let mut tree = String::from("self->self void->nothing ");
    let mut cases = vec![
        fails("missing-directory", "nowhere/file", NotFound),
        fails("missing", "nowhere", NotFound),
        fails("empty", "", NotFound),
        fails("loop", "self", TooManyLinks),
        ok("loop-nofollow", "self", "self").nofollow(),
        fails("link-to-nothing", "void", NotFound),
        ok("link-to-nothing-nofollow", "void", "void").nofollow(),
        ok("dot", ".", "/"),
        ok("dot-slash", "./", "/"),
    ];
    for (top, kind) in [("f", ""), ("d", "/")] {
        let prizes = ["prize", "a/b/c/prize", "dir/prize", "m/n/prize", "m/prize", "g/c/prize"];
        for prize in prizes {
            tree += &format!("{top}/{prize}{kind} ");
        }
        tree += &format!(
            "{top}/link->prize {top}/slashed->dir/ {top}/deep->m/n {top}/dotted->m/. \
             {top}/chain->x/b/c/prize {top}/x/b->e {top}/x/e->../y {top}/y->g/h/i {top}/g/h/i->.. "
        );
        cases.extend([
            ok(format!("{top}-plain"), format!("{top}/prize"), format!("{top}/prize")),
            ok(format!("{top}-in-directory"), format!("{top}/a/b/c/prize"), format!("{top}/a/b/c/prize")),
            ok(format!("{top}-link"), format!("{top}/link"), format!("{top}/prize")),
            ok(format!("{top}-link-nofollow"), format!("{top}/link"), format!("{top}/link")).nofollow(),
            ok(
                format!("{top}-link-ends-in-slash"),
                format!("{top}/slashed/prize"),
                format!("{top}/dir/prize"),
            ),
            ok(format!("{top}-chain"), format!("{top}/chain"), format!("{top}/g/c/prize")),
            ok(format!("{top}-chain-nofollow"), format!("{top}/chain"), format!("{top}/chain")).nofollow(),
            ok(format!("{top}-dots"), format!("./{top}/./a/./b/./c/./prize"), format!("{top}/a/b/c/prize")),
            ok(
                format!("{top}-up-and-down"),
                format!("{top}/a/../a/b/../../a/b/../b/c/prize"),
                format!("{top}/a/b/c/prize"),
            ),
            ok(format!("{top}-up-no-link"), format!("{top}/a/../prize"), format!("{top}/prize")),
            ok(format!("{top}-up-after-link"), format!("{top}/deep/../prize"), format!("{top}/m/prize")),
            ok(format!("{top}-up-before-link"), format!("{top}/m/../deep/prize"), format!("{top}/m/n/prize")),
            ok(format!("{top}-link-ends-in-dot"), format!("{top}/dotted/prize"), format!("{top}/m/prize")),
        ]);
    }
    cases.extend([
        ok("slash-after-link-to-directory", "d/link/", "d/prize"),
        ok("slash-after-link-to-directory-nofollow", "d/link/", "d/prize").nofollow(),
        fails("slash-after-link-to-file", "f/link/", NotADirectory),
        fails("slash-after-link-to-file-nofollow", "f/link/", NotADirectory).nofollow(),
    ]);
    draft("beneath-inside", tree, beneath(cases))
}

/// What leaves the root of the tree, whether it would come back or not, with a file to come back to.
fn to_a_file() -> Draft {
    draft("beneath-to-file", outside_tree(""), beneath(outside_cases(false)))
}

/// The same with a directory.
fn to_a_directory() -> Draft {
    draft("beneath-to-directory", outside_tree("/"), beneath(outside_cases(true)))
}

/// `root` is the start directory.
fn outside_tree(kind: &str) -> String {
    format!(
        "root/prize{kind} root/c/prize{kind} root/a/ root/dir/ \
         root/up->../ root/dir/up->../../ root/back->../root/prize root/absolute->/root/prize \
         root/chain->x/b/c/prize root/x/b->e root/x/e->../../root root/dots->.. root/inner->dir/.. \
         root/out->dir/../.. root/to-absolute->absolute "
    )
}

fn outside_cases(directory: bool) -> Vec<DraftCase> {
    let mut cases = vec![
        fails("link-up-slash", "up", LeavesRoot),
        ok("link-up-slash-nofollow", "up", "root/up").nofollow(),
        fails("link-up-up-slash", "dir/up", LeavesRoot),
        ok("link-up-up-slash-nofollow", "dir/up", "root/dir/up").nofollow(),
        fails("slash-after-link", "back/", LeavesRoot),
        fails("slash-after-link-nofollow", "back/", LeavesRoot).nofollow(),
        fails("up", "..", LeavesRoot),
        fails("up-slash", "../", LeavesRoot),
        fails("up-nofollow", "..", LeavesRoot).nofollow(),
        fails("up-up-slash", "a/../../", LeavesRoot),
        fails("out-and-back", "../root/prize", LeavesRoot),
        fails("far-out-and-back", "a/../../root/prize", LeavesRoot),
        fails("absolute-link", "absolute", LeavesRoot),
        ok("absolute-link-nofollow", "absolute", "root/absolute").nofollow(),
        fails("link-to-absolute-link", "to-absolute", LeavesRoot),
        fails("relative-link", "back", LeavesRoot),
        ok("relative-link-nofollow", "back", "root/back").nofollow(),
        fails("chain", "chain", LeavesRoot),
        ok("chain-nofollow", "chain", "root/chain").nofollow(),
        fails("link-up", "dots", LeavesRoot),
        fails("link-up-onwards", "dots/root", LeavesRoot),
        ok("link-up-inside", "inner", "root"),
        fails("link-out-by-directory", "out", LeavesRoot),
        fails("absolute", "/", LeavesRoot),
        fails("absolute-onwards", "/root/prize", LeavesRoot),
        fails("absolute-missing", "/nowhere/at/all", LeavesRoot),
        fails("missing-comes-first", "nowhere/../../..", NotFound),
        fails("link-not-allowed-comes-first", "absolute", TooManyLinks).no_symlinks(),
    ];
    let below = if directory { LeavesRoot } else { NotADirectory };
    cases.push(fails("file-comes-first", "prize/../..", below));
    cases.into_iter().map(|case| case.at("root")).collect()
}

/// Start directories far below the root, links that would be fine from above.
fn start_below() -> Draft {
    draft(
        "beneath-below",
        "a/b/c/d/ a/b/link->../e a/e/f a/b/c/up->.. a/b/c/upup->../.. a/b/c/root->/ a/b/c/here->. a/b/c/d/far->../../../e/f",
        vec![
            fails("up", "..", LeavesRoot).beneath().at("a/b/c"),
            ok("down-up", "d/..", "a/b/c").beneath().at("a/b/c"),
            fails("link-up", "up", LeavesRoot).beneath().at("a/b/c"),
            ok("link-up-from-above", "c/up", "a/b").beneath().at("a/b"),
            fails("link-up-up-from-above", "c/upup", LeavesRoot).beneath().at("a/b"),
            ok("link-up-up-from-higher", "b/c/upup", "a").beneath().at("a"),
            fails("link-root", "root", LeavesRoot).beneath().at("a/b/c"),
            fails("link-root-from-root", "a/b/c/root", LeavesRoot).beneath(),
            ok("link-here", "here", "a/b/c").beneath().at("a/b/c"),
            ok("link-here-many", "{here/*30}d", "a/b/c/d").beneath().at("a/b/c"),
            fails("link-far", "c/d/far", LeavesRoot).beneath().at("a/b"),
            ok("link-far-from-above", "b/c/d/far", "a/e/f").beneath().at("a"),
            ok("link-far-from-root", "a/b/c/d/far", "a/e/f").beneath(),
            fails("link-sideways", "link", LeavesRoot).beneath().at("a/b"),
            ok("link-sideways-not-beneath", "link/f", "a/e/f").at("a/b"),
            ok("absolute-not-beneath", "/a/e", "a/e").at("a/b"),
            ok("link-root-not-beneath", "root/a", "a").at("a/b/c"),
            ok("up-past-the-root-not-beneath", "{../*9}a", "a").at("a/b/c"),
        ],
    )
}
