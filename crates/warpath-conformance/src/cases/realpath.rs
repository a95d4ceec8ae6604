//! What a path's real place is: dots, links to parents, links named again and again, what can't be read.

use super::{Draft, DraftCase, draft, fails, ok};
use warpath_core::LookupError::{Invalid, NotADirectory, NotFound, NotIndexed, TooManyLinks};

pub(super) fn drafts() -> Vec<Draft> {
    vec![dots(), links(), loops(), again(), parents(), files(), invalid(), unreadable()]
}

/// `.` and `..`, once and a hundred times, from a directory that is not the root.
fn dots() -> Draft {
    let mut cases = vec![
        ok("here", ".", "work/dir"),
        ok("here-twice", "./.", "work/dir"),
        ok("here-100", "{./*99}.", "work/dir"),
        ok("up", "..", "work"),
        ok("up-twice", "../..", "/"),
        ok("up-100", "{../*99}..", "/"),
    ];
    cases = cases.into_iter().map(|case| case.at("work/dir")).collect();
    for (name, path, found) in [
        ("root", "/", "/"),
        ("root-here", "/.", "/"),
        ("root-here-slash", "/./", "/"),
        ("root-two-slashes", "//", "/"),
        ("root-three-slashes", "///", "/"),
        ("root-up", "/..", "/"),
        ("root-up-slashes", "/..//", "/"),
        ("root-two-slashes-up", "//..", "/"),
        ("root-up-down", "/../work", "work"),
        ("root-up-up-down", "///../../work/../work/./dir", "work/dir"),
        ("root-down-up", "/work/..", "/"),
        ("root-down-up-up", "////work/../..", "/"),
        ("messy", "work///../work/.././work/dir", "work/dir"),
    ] {
        cases.push(ok(name, path, found));
    }
    cases.push(fails("three-dots-is-a-name", "//...", NotFound));
    draft("dots", "work/dir/", cases)
}

fn links() -> Draft {
    draft(
        "links",
        "w/t1 w/l->/w/t1 w/r->t1 w/void->/w/nothing w/void-relative->nothing",
        vec![
            ok("absolute", "/w/l", "w/t1"),
            ok("relative", "/w/r", "w/t1"),
            ok("relative-from-its-directory", "r", "w/t1").at("w"),
            fails("to-nothing", "/w/void", NotFound),
            fails("relative-to-nothing", "void-relative", NotFound).at("w"),
            fails("missing", "/w/other", NotFound),
            // A realpath that does not look says w/t1; the kernel looks.
            fails("missing-then-up", "nothing/../l", NotFound).at("w"),
        ],
    )
}

fn loops() -> Draft {
    let mut cases: Vec<DraftCase> = vec![
        fails("self", "/w/l", TooManyLinks),
        fails("self-relative", "l", TooManyLinks).at("w"),
        fails("one", "/w/l1", TooManyLinks),
        fails("two", "/w/l2", TooManyLinks),
        fails("onwards", "/w/l1/x", TooManyLinks),
        fails("up", "/w/l1/..", TooManyLinks),
        fails("up-and-missing", "/w/l1/../x", TooManyLinks),
        fails("up-and-link", "/w/l1/../ly", TooManyLinks),
        fails("up-and-again", "/w/l1/../l1", TooManyLinks),
        fails("below-itself", "/w/la", TooManyLinks),
        fails("over-the-parent", "/w/lc", TooManyLinks),
        ok("self-nofollow", "/w/l", "w/l").nofollow(),
        ok("below-itself-nofollow", "/w/la", "w/la").nofollow(),
    ];
    cases.push(fails("missing-target", "/w/ly", NotFound));
    draft("realpath-loops", "w/l->/w/l w/l2->/w/l1 w/l1->/w/l2 w/ly->/w/lx w/la->la/b w/lc->../w/lc", cases)
}

/// Links that name other links several times.
fn again() -> Draft {
    let mut tree = String::from("w/self->../w w/link->self/self/self deep/0->. ");
    for n in 1..=10 {
        let target = vec![(n - 1).to_string(); 10].join("/");
        tree += &format!("deep/{n}->{target} ");
    }
    tree += "steps/0->. ";
    for n in 1..=4 {
        tree += &format!("steps/{n}->{}/{} ", n - 1, n - 1);
    }
    draft(
        "again",
        tree,
        vec![
            ok("three-times", "/w/link", "w"),
            ok("three-times-onwards", "/w/link/self/link", "w"),
            ok("ten-times-one-level", "/deep/1", "deep"),
            // A realpath that remembers links gets there; the kernel counts each time and stops at 40.
            fails("ten-times-two-levels", "/deep/2", TooManyLinks),
            fails("ten-times-ten-levels", "/deep/10", TooManyLinks),
            fails("ten-times-ten-levels-relative", "10", TooManyLinks).at("deep"),
            ok("twice-four-levels", "/steps/4", "steps"),
            fails("twice-four-levels-twice", "/steps/4/4", TooManyLinks),
            fails("twice-four-levels-and-three", "/steps/4/3", TooManyLinks),
            ok("twice-four-levels-and-three-nofollow", "/steps/4/3", "steps/3").nofollow(),
            ok("twice-four-levels-and-two", "/steps/4/2", "steps"),
        ],
    )
}

/// Links on the way to the start directory, before `..`, and as the first component.
fn parents() -> Draft {
    draft(
        "parents",
        "doc/y/a doc/k->/doc/y res/k/y/ res/link-y->/res/k/y first/k/ firstlink->/first",
        vec![
            ok("entry-of-a-linked-directory", "/doc/k/a", "doc/y/a"),
            // Whoever is in doc/k is in doc/y.
            ok("from-a-linked-directory", "a", "doc/y/a").at("doc/y"),
            ok("up-from-a-linked-directory", "../k/a", "doc/y/a").at("doc/y"),
            ok("up-after-link", "/res/link-y/..", "res/k"),
            ok("up-after-link-relative", "res/link-y/..", "res/k"),
            ok("link-first", "firstlink", "first"),
            ok("link-first-onwards", "firstlink/k", "first/k"),
        ],
    )
}

/// A file, a link to it and a link to that link, with more behind them.
fn files() -> Draft {
    let mut cases = Vec::new();
    for (name, path) in [("file", "/w/f"), ("link", "/w/l1"), ("link-to-link", "/w/l2")] {
        cases.push(ok(name, path, "w/f"));
        for (what, more) in [("slash", "/"), ("dot", "/."), ("up", "/.."), ("onwards", "/sub")] {
            cases.push(fails(format!("{name}-{what}"), format!("{path}{more}"), NotADirectory));
        }
    }
    draft("realpath-files", "w/f w/l1->/w/f w/l2->/w/l1", cases)
}

/// NUL, which no system call could take, comes before anything else; bytes that are no text are bytes.
fn invalid() -> Draft {
    let mut cases = Vec::new();
    for (name, path) in [
        ("nul", r"/\x00"),
        ("nul-alone", r"\x00"),
        ("nul-after-missing", r"/nonexistent/x\x00"),
        ("nul-then-up", r"/\x00/.."),
        ("nul-after-missing-then-up", r"/nonexistent/x\x00/.."),
        ("nul-after-file", r"/file\x00"),
        ("nul-after-file-and-slash", r"/file/\x00"),
        ("nul-after-file-then-missing", r"/file\x00/x"),
        ("nul-after-directory", r"/d\x00"),
        ("nul-after-directory-then-missing", r"/d\x00/x"),
        ("nul-after-directory-then-file", r"/d\x00/f"),
        ("nuls-to-the-unit-after-directory-then-missing", r"/d{\x00*6}/x"),
        ("nul-after-link-then-missing", r"/l\x00/x"),
        ("nul-at-the-start", r"\x00/file"),
        ("nul-in-a-long-path", r"\x00{x/*2100}"),
        ("nul-at-the-end-of-a-long-path", r"{x/*2100}\x00"),
        ("eight-nuls", r"/file{\x00*8}"),
    ] {
        cases.push(fails(name, path, Invalid));
        cases.push(fails(format!("{name}-beneath"), path, Invalid).beneath());
    }
    cases.extend([
        fails("no-text", r"/\xff", NotFound),
        fails("no-text-after-missing", r"/nonexistent/\xff", NotFound),
        fails("no-text-then-up", r"/\xed\xbf\xbf/..", NotFound),
        fails("no-text-after-missing-then-up", r"/nonexistent/\xed\xbf\xbf/..", NotFound),
        ok("no-text-that-exists", r"/\xfe\xff/\xed\xbf\xbf", r"\xfe\xff/\xed\xbf\xbf"),
    ]);
    draft("invalid", r"file d/f l->d \xfe\xff/\xed\xbf\xbf", cases)
}

/// A directory that could not be read: its own inode is known, what is below it is not.
fn unreadable() -> Draft {
    draft(
        "unreadable",
        "locked/? half/? half/known/file open/ open/to->../locked/k open/up->../locked/.. link-> open/unknown-> \
         half/lost->nothing file",
        vec![
            ok("itself", "locked", "locked"),
            ok("itself-slash", "locked/", "locked"),
            ok("itself-dot", "locked/.", "locked"),
            ok("up", "locked/..", "/"),
            fails("below", "locked/k", NotIndexed),
            fails("below-slash", "locked/k/", NotIndexed),
            fails("below-nofollow", "locked/k", NotIndexed).nofollow(),
            fails("far-below", "locked/k/l/m", NotIndexed),
            fails("below-then-up", "locked/k/..", NotIndexed),
            fails("below-then-up-and-known", "locked/k/../../file", NotIndexed),
            fails("link-into", "open/to", NotIndexed),
            fails("link-into-onwards", "open/to/x", NotIndexed),
            ok("link-into-nofollow", "open/to", "open/to").nofollow(),
            ok("link-through", "open/up", "/"),
            ok("known-entry-of-a-partial-directory", "half/known/file", "half/known/file"),
            fails("unknown-entry-of-a-partial-directory", "half/other", NotIndexed),
            fails("missing-below-known-entry", "half/known/other", NotFound),
            fails("link-in-partial-directory-to-unknown-entry", "half/lost", NotIndexed),
            fails("unknown-target", "link", NotIndexed),
            fails("unknown-target-onwards", "link/x", NotIndexed),
            fails("unknown-target-slash-nofollow", "link/", NotIndexed).nofollow(),
            ok("unknown-target-nofollow", "link", "link").nofollow(),
            fails("unknown-target-no-symlinks", "link", TooManyLinks).no_symlinks(),
            fails("unknown-target-below", "open/unknown/..", NotIndexed),
            fails(
                "too-long-a-name-in-partial-directory",
                "locked/{x*256}",
                warpath_core::LookupError::NameTooLong,
            ),
            fails("missing-elsewhere", "open/nothing", NotFound),
            fails("file-onwards", "file/x", NotADirectory),
        ],
    )
}
