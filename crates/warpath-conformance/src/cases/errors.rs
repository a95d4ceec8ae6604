//! Each errno where system calls give it: ENOTDIR, ENAMETOOLONG, ENOENT, ELOOP.

use super::{Draft, DraftCase, draft, fails, ok};
use warpath_core::LookupError::{NameTooLong, NotADirectory, NotFound, TooManyLinks};

pub(super) fn drafts() -> Vec<Draft> {
    vec![not_a_directory(), name_too_long(), path_too_long(), not_found(), too_many_links()]
}

/// A component before the last is a file, a pipe, a device, a socket, or a link to one.
fn not_a_directory() -> Draft {
    let mut tree = String::new();
    let mut cases = Vec::new();
    for (name, mark) in [("file", ""), ("pipe", "|"), ("blocks", "#"), ("characters", "%"), ("socket", "@")] {
        tree += &format!("d/{name}{mark} d/link-{name}->{name} ");
        cases.extend([
            ok(format!("{name}-itself"), format!("d/{name}"), format!("d/{name}")),
            fails(format!("{name}-onwards"), format!("d/{name}/test"), NotADirectory),
            fails(format!("{name}-onwards-nofollow"), format!("d/{name}/test"), NotADirectory).nofollow(),
            fails(format!("{name}-far-onwards"), format!("d/{name}/test/further/on"), NotADirectory),
            ok(format!("link-{name}"), format!("d/link-{name}"), format!("d/{name}")),
            fails(format!("link-{name}-onwards"), format!("d/link-{name}/test"), NotADirectory),
        ]);
    }
    draft("not-a-directory", tree, cases)
}

/// A component of 255 bytes is a name, one of 256 is too long: if it is looked up at all.
fn name_too_long() -> Draft {
    let long = "{x*256}";
    draft(
        "name-too-long",
        "{n*255} d/{m*255} {e*255}/inside file link->{x*256} {l*255}->{n*255} {h*255}=file",
        vec![
            ok("longest-name", "{n*255}", "{n*255}"),
            ok("longest-name-below", "d/{m*255}", "d/{m*255}"),
            ok("longest-directory", "{e*255}/inside", "{e*255}/inside"),
            ok("longest-link", "{l*255}", "{n*255}"),
            ok("longest-link-nofollow", "{l*255}", "{l*255}").nofollow(),
            ok("longest-hard-link", "{h*255}", "file"),
            fails("longest-name-missing", "{y*255}", NotFound),
            fails("one-too-long", long, NameTooLong),
            fails("one-too-long-nofollow", long, NameTooLong).nofollow(),
            fails("far-too-long", "{x*3000}", NameTooLong),
            fails("one-too-long-below", format!("d/{long}"), NameTooLong),
            fails("one-too-long-and-onwards", format!("{long}/test"), NameTooLong),
            fails("one-too-long-by-one-byte", "{n*255}x", NameTooLong),
            fails("one-too-long-below-missing", format!("nowhere/{long}"), NotFound),
            fails("one-too-long-below-file", format!("file/{long}"), NotADirectory),
            fails("one-too-long-in-target", "link", NameTooLong),
            ok("one-too-long-in-target-nofollow", "link", "link").nofollow(),
            fails("one-too-long-then-up", format!("{long}/.."), NameTooLong),
        ],
    )
}

/// A path of 4095 bytes is resolved, one of 4096 is not looked at.
fn path_too_long() -> Draft {
    // 31 names of 127 bytes with a slash each are 3968 bytes: 127 more make 4095.
    let directory = format!("{}/", "w".repeat(127)).repeat(31);
    let tree = format!(
        "short/ early {directory}{{t*127}} {directory}{{d*126}}/ {directory}{{l*127}}->/short \
         {directory}{{h*127}}=early to-longest->{directory}{{t*127}} to-longest-slash->{directory}{{d*126}}/"
    );
    let long = |last: &str| format!("{directory}{last}");
    draft(
        "path-too-long",
        tree,
        vec![
            ok("longest", long("{t*127}"), long("{t*127}")),
            ok("longest-nofollow", long("{t*127}"), long("{t*127}")).nofollow(),
            ok("longest-beneath", long("{t*127}"), long("{t*127}")).beneath(),
            ok("longest-with-slash", long("{d*126}/"), long("{d*126}")),
            ok("longest-link", long("{l*127}"), "short"),
            ok("longest-link-nofollow", long("{l*127}"), long("{l*127}")).nofollow(),
            ok("longest-hard-link", long("{h*127}"), "early"),
            fails("longest-missing", long("{u*127}"), NotFound),
            fails("one-too-long", long("{t*127}x"), NameTooLong),
            fails("one-too-long-nofollow", long("{t*127}x"), NameTooLong).nofollow(),
            fails("one-too-long-by-slash", long("{t*127}/"), NameTooLong),
            fails("one-too-long-beneath", long("{t*127}x"), NameTooLong).beneath(),
            ok("longest-target", "to-longest", long("{t*127}")),
            ok("longest-target-slash", "to-longest-slash", long("{d*126}")),
            ok("longest-of-dots", "{./*2045}short", "short"),
            fails("one-too-long-of-dots", "{./*2045}short/", NameTooLong),
            ok("longest-of-slashes", "{/*4090}short", "short"),
            fails("one-too-long-of-slashes", "{/*4091}short", NameTooLong),
            fails("one-too-long-comes-before-missing", "nowhere/{x/*2044}", NameTooLong),
            fails("one-too-long-comes-before-absolute", "{/*4096}", NameTooLong).beneath(),
            ok("longest-of-nothing-but-slashes", "{/*4095}", "/"),
        ],
    )
}

fn not_found() -> Draft {
    draft(
        "not-found",
        "d/void->nothing d/void-absolute->/nothing d/inner/ d/void-below->inner/nothing/more d/void-slash->nothing/ kept",
        vec![
            fails("last", "d/nothing", NotFound),
            fails("last-nofollow", "d/nothing", NotFound).nofollow(),
            fails("before-the-last", "d/nothing/test", NotFound),
            fails("before-the-last-nofollow", "d/nothing/test", NotFound).nofollow(),
            fails("first", "nothing/d/test", NotFound),
            fails("last-at-the-root", "nothing", NotFound),
            fails("last-slash", "d/nothing/", NotFound),
            fails("last-slash-nofollow", "d/nothing/", NotFound).nofollow(),
            fails("empty", "", NotFound),
            fails("empty-nofollow", "", NotFound).nofollow(),
            fails("link", "d/void", NotFound),
            fails("link-absolute", "d/void-absolute", NotFound),
            fails("link-below", "d/void-below", NotFound),
            fails("link-slash", "d/void-slash", NotFound),
            ok("link-nofollow", "d/void", "d/void").nofollow(),
            fails("link-onwards-nofollow", "d/void/test", NotFound).nofollow(),
            fails("name-that-begins-another", "kep", NotFound),
            fails("name-that-another-begins", "kept2", NotFound),
            fails("other-case", "KEPT", NotFound),
        ],
    )
}

/// Two links to each other, and chains of exactly 40 and 41.
fn too_many_links() -> Draft {
    let mut tree = String::from("a->b b->a prize dir/inside ");
    for n in 1..=41 {
        let to = if n == 1 { "prize".to_owned() } else { format!("l{}", n - 1) };
        let to_directory = if n == 1 { "dir".to_owned() } else { format!("/d{}", n - 1) };
        tree += &format!("l{n}->{to} d{n}->{to_directory} ");
    }
    tree += "here->. up/20->../d20 up/20f->../l20 halfway->d20/inside ";
    let mut cases: Vec<DraftCase> = Vec::new();
    for (name, path) in
        [("a", "a"), ("b", "b"), ("a-onwards", "a/test"), ("b-onwards", "b/test"), ("a-slash", "a/")]
    {
        cases.push(fails(format!("two-{name}"), path, TooManyLinks));
    }
    cases.extend([
        ok("two-nofollow", "a", "a").nofollow(),
        fails("two-no-symlinks", "a", TooManyLinks).no_symlinks(),
        ok("two-nofollow-no-symlinks", "a", "a").nofollow().no_symlinks(),
        fails("two-slash-nofollow", "a/", TooManyLinks).nofollow(),
        ok("forty", "l40", "prize"),
        fails("forty-one", "l41", TooManyLinks),
        ok("forty-one-nofollow", "l41", "l41").nofollow(),
        ok("forty-beneath", "l40", "prize").beneath(),
        fails("forty-one-beneath", "l41", TooManyLinks).beneath(),
        ok("forty-to-directory", "d40", "dir"),
        ok("forty-to-directory-onwards", "d40/inside", "dir/inside"),
        fails("forty-one-to-directory", "d41", TooManyLinks),
        fails("forty-one-onwards", "d41/inside", TooManyLinks),
        fails("forty-one-onwards-missing", "d41/nothing", TooManyLinks),
        fails("forty-onwards-missing", "d40/nothing", NotFound),
        ok("twenty-and-twenty", "d20/../l20", "prize"),
        fails("twenty-and-twenty-one", "d20/../l21", TooManyLinks),
        ok("twenty-and-twenty-one-nofollow", "d20/../l21", "l21").nofollow(),
        fails("twenty-one-and-twenty", "d21/../l20", TooManyLinks),
        ok("forty-times-here", "{here/*40}prize", "prize"),
        fails("forty-one-times-here", "{here/*41}prize", TooManyLinks),
        fails("forty-one-times-here-missing", "{here/*41}nothing", TooManyLinks),
        fails("forty-times-here-missing", "{here/*40}nothing", NotFound),
        fails("missing-before-too-many", "nothing/{here/*41}", NotFound),
        fails("file-before-too-many", "prize/{here/*41}", NotADirectory),
        ok("nineteen-here-and-up-twenty", "{here/*19}up/20", "dir"),
        fails("twenty-here-and-up-twenty", "{here/*20}up/20", TooManyLinks),
        ok("twenty-here-and-up-twenty-nofollow", "{here/*20}up/20", "up/20").nofollow(),
        ok("through-halfway", "{here/*19}halfway", "dir/inside"),
        fails("through-halfway-too-many", "{here/*20}halfway", TooManyLinks),
        fails("forty-slash-to-file", "l40/", NotADirectory),
        fails("forty-one-slash-to-file", "l41/", TooManyLinks),
        ok("forty-slash-to-directory-nofollow", "d40/", "dir").nofollow(),
        fails("forty-one-slash-to-directory-nofollow", "d41/", TooManyLinks).nofollow(),
        fails("long-name-before-too-many", "{x*256}/{here/*41}", NameTooLong),
    ]);
    draft("too-many-links", tree, cases)
}
