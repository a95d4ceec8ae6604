//! What the suites leave out: the root itself, slashes behind links, hard links, odd bytes, lengths around the
//! hash's units, very deep directories, links that are not allowed.

use super::{Draft, DraftCase, draft, fails, ok};
use warpath_core::LookupError::{NameTooLong, NotADirectory, NotFound, TooManyLinks};

pub(super) fn drafts() -> Vec<Draft> {
    vec![
        root(),
        slash_behind_links(),
        hard_links(),
        odd_names(),
        lengths(),
        deep(),
        no_symlinks(),
        starts(),
        shapes(),
        long_targets(),
    ]
}

fn root() -> Draft {
    let mut cases = Vec::new();
    for (name, path) in [
        ("slash", "/"),
        ("slashes", "{/*100}"),
        ("dot", "."),
        ("dot-slash", "./"),
        ("slash-dot", "/."),
        ("up", ".."),
        ("up-up-up", "../../.."),
        ("link", "self"),
        ("link-slash", "self/"),
        ("link-absolute", "absolute"),
        ("link-above", "above"),
        ("link-slashes", "slashes"),
        ("link-to-dots", "dots"),
    ] {
        cases.push(ok(name, path, "/"));
    }
    cases.extend([
        ok("entry-of-link", "self/d", "d"),
        ok("entry-of-link-absolute", "absolute/absolute/d", "d"),
        ok("entry-of-link-above", "d/../above/../d", "d"),
        fails("missing", "/x", NotFound),
    ]);
    draft("root", "d/ self->. absolute->/ above->../../.. slashes->/// dots->././d/../.", cases)
}

/// A slash at the end follows a link even where links are not followed, and wants a directory.
fn slash_behind_links() -> Draft {
    let mut cases = Vec::new();
    for (name, link, plain, slash) in [
        ("to-directory", "to-d", Ok("d"), Ok("d")),
        ("to-directory-slash", "to-d-slash", Ok("d"), Ok("d")),
        ("to-directory-dot", "to-d-dot", Ok("d"), Ok("d")),
        ("to-file", "to-f", Ok("f"), Err(NotADirectory)),
        ("to-file-slash", "to-f-slash", Err(NotADirectory), Err(NotADirectory)),
        ("to-file-dot", "to-f-dot", Err(NotADirectory), Err(NotADirectory)),
        ("to-nothing", "to-x", Err(NotFound), Err(NotFound)),
        ("to-nothing-slash", "to-x-slash", Err(NotFound), Err(NotFound)),
        ("to-link-to-directory", "to-to-d", Ok("d"), Ok("d")),
        ("to-link-to-directory-slash", "to-to-d-slash", Ok("d"), Ok("d")),
        ("to-link-to-file-slash", "to-to-f-slash", Err(NotADirectory), Err(NotADirectory)),
    ] {
        let case = |name: String, path: String, outcome: Result<&str, _>| match outcome {
            Ok(found) => ok(name, path, found),
            Err(error) => fails(name, path, error),
        };
        cases.extend([
            case(name.to_owned(), link.to_owned(), plain),
            case(format!("{name}-with-slash"), format!("{link}/"), slash),
            case(format!("{name}-with-slash-nofollow"), format!("{link}/"), slash).nofollow(),
            case(format!("{name}-with-slashes-nofollow"), format!("{link}///"), slash).nofollow(),
            case(format!("{name}-with-dot-nofollow"), format!("{link}/."), slash).nofollow(),
            ok(format!("{name}-nofollow"), link, link).nofollow(),
        ]);
    }
    draft(
        "slash-behind-links",
        "d/ f to-d->d to-d-slash->d/ to-d-dot->d/. to-f->f to-f-slash->f/ to-f-dot->f/. to-x->x to-x-slash->x/ \
         to-to-d->to-d to-to-d-slash->to-d/ to-to-f-slash->to-f/",
        cases,
    )
}

/// Several names of one inode; of a link as well, whose relative target begins where the name stands.
fn hard_links() -> Draft {
    draft(
        "hard-links",
        "a/f b/f2=a/f f3=a/f a/p| b/p2=a/p a/l->f b/l2=a/l l3=a/l b/f a/up->.. b/c/up2=a/up a/abs->/a/f b/abs2=a/abs",
        vec![
            ok("file", "b/f2", "a/f"),
            ok("file-again", "f3", "b/f2"),
            fails("file-slash", "b/f2/", NotADirectory),
            ok("pipe", "b/p2", "a/p"),
            ok("link-at-its-first-name", "a/l", "a/f"),
            ok("link-at-its-second-name", "b/l2", "b/f"),
            fails("link-at-its-third-name", "l3", NotFound),
            ok("link-at-its-second-name-nofollow", "b/l2", "b/l2").nofollow(),
            ok("link-up-at-its-first-name", "a/up", "/"),
            ok("link-up-at-its-second-name", "b/c/up2", "b"),
            ok("link-absolute", "b/abs2", "a/f"),
        ],
    )
}

fn odd_names() -> Draft {
    let names = [
        r"\x0a",
        r"\x20",
        r"\x01",
        r"\x7f",
        r"\xff",
        r"\xc3\xa9",
        r"...",
        r"....",
        r"..a",
        r".a",
        r"a.",
        r"a..",
        r"-",
        r"~",
        r"\\",
        r"\x2a",
        r"\xff\xfe\xfd",
        r"a\x0ab",
        r"\x20leading",
        r"trailing\x20",
        r"%2e%2e",
        r"\xc0\xaf",
    ];
    let mut tree = String::new();
    let mut cases = Vec::new();
    for (n, name) in names.into_iter().enumerate() {
        // `%` and the like are marks only in trees.
        let in_tree = name.replace('%', r"\x25");
        tree += &format!("{in_tree}/{in_tree} l{n}->{in_tree}/{in_tree} ");
        cases.push(ok(format!("{n}"), format!("{name}/{name}"), format!("{name}/{name}")));
        cases.push(ok(format!("{n}-linked"), format!("l{n}"), format!("{name}/{name}")));
        cases.push(fails(format!("{n}-missing"), format!("{name}/{name}x"), NotFound));
    }
    draft("odd-names", tree, cases)
}

/// Names and paths of every length around the units of eight bytes, and names that differ in their last byte alone.
fn lengths() -> Draft {
    let mut tree = String::new();
    let mut cases: Vec<DraftCase> = Vec::new();
    for n in 1..=34 {
        tree += &format!("{{n*{n}}}/{{m*{n}}} ");
        cases.push(ok(format!("{n}"), format!("{{n*{n}}}/{{m*{n}}}"), format!("{{n*{n}}}/{{m*{n}}}")));
        cases.push(fails(format!("{n}-shorter"), format!("{{n*{n}}}/{{m*{}}}", n - 1) + "k", NotFound));
        cases.push(fails(format!("{n}-longer"), format!("{{n*{n}}}/{{m*{n}}}m"), NotFound));
    }
    draft("lengths", tree, cases)
}

/// Directories that no path from the root reaches, since it would have more than 4095 bytes.
fn deep() -> Draft {
    let step = format!("{}/", "s".repeat(255));
    let near = step.repeat(15);
    let far = step.repeat(34);
    let start = step.repeat(16);
    let down = step.repeat(15);
    draft(
        "deep",
        format!(
            "{near}file {far}file {far}up->../.. {far}out->/top {far}own->. top/in->/{near}ssss ssss {near}ssss"
        ),
        vec![
            ok("within-reach", format!("{near}file"), format!("{near}file")),
            ok("sixteen-without-the-last-slash", start.trim_end_matches('/'), &start),
            fails("sixteen-and-one-byte", format!("{start}x"), NameTooLong),
            ok("down-from-the-deep", &down, step.repeat(31)).at(&start),
            ok("down-further-from-the-deep", format!("{down}..{}", "/..".repeat(20)), step.repeat(10))
                .at(&start),
            ok("up-from-the-deep", "..", step.repeat(15)).at(&start),
            ok("up-to-the-root-from-the-deep", "{../*20}top", "top").at(&start),
            ok("absolute-from-the-deep", "/top", "top").at(&start),
            fails("missing-in-the-deep", "missing", NotFound).at(&start),
            ok("link-to-long-target", "top/in", format!("{near}ssss")),
        ],
    )
}

/// Links are not allowed on the way; the last may be the answer, where it is not followed.
fn no_symlinks() -> Draft {
    draft(
        "no-symlinks",
        "d/f d/l->f l->d void->nothing self->self absolute->/d f",
        vec![
            ok("no-link", "d/f", "d/f").no_symlinks(),
            ok("dots", "./d/../d/./f", "d/f").no_symlinks(),
            fails("last", "d/l", TooManyLinks).no_symlinks(),
            ok("last-nofollow", "d/l", "d/l").no_symlinks().nofollow(),
            fails("middle", "l/f", TooManyLinks).no_symlinks(),
            fails("middle-nofollow", "l/f", TooManyLinks).no_symlinks().nofollow(),
            fails("slash-nofollow", "l/", TooManyLinks).no_symlinks().nofollow(),
            fails("dot-nofollow", "l/.", TooManyLinks).no_symlinks().nofollow(),
            fails("to-nothing", "void", TooManyLinks).no_symlinks(),
            ok("to-nothing-nofollow", "void", "void").no_symlinks().nofollow(),
            fails("to-itself", "self", TooManyLinks).no_symlinks(),
            fails("absolute", "absolute", TooManyLinks).no_symlinks(),
            fails("then-missing", "l/nothing", TooManyLinks).no_symlinks(),
            fails("missing-first", "nothing/l/f", NotFound).no_symlinks(),
            fails("file-first", "f/l", NotADirectory).no_symlinks(),
            fails("file-slash", "f/", NotADirectory).no_symlinks(),
            fails("absolute-path", "/l", TooManyLinks).no_symlinks(),
            fails("last-beneath", "d/l", TooManyLinks).no_symlinks().beneath(),
            ok("last-nofollow-beneath", "d/l", "d/l").no_symlinks().nofollow().beneath(),
        ],
    )
}

/// Relative paths begin at the start directory, absolute ones and absolute links at the root.
fn starts() -> Draft {
    draft(
        "starts",
        "f d/f d/e/f d/e/root->/ d/e/abs->/f d/e/rel->f d/e/up->../f d/e/high->../../../../f link->d/e",
        vec![
            ok("relative", "f", "d/e/f").at("d/e"),
            ok("absolute", "/f", "f").at("d/e"),
            ok("up", "../f", "d/f").at("d/e"),
            ok("up-up", "../../f", "f").at("d/e"),
            ok("up-past-the-root", "../../../../../f", "f").at("d/e"),
            ok("link-to-root", "root/f", "f").at("d/e"),
            ok("link-absolute", "abs", "f").at("d/e"),
            ok("link-relative", "rel", "d/e/f").at("d/e"),
            ok("link-up", "up", "d/f").at("d/e"),
            ok("link-up-past-the-root", "high", "f").at("d/e"),
            ok("absolute-then-link", "/link/rel", "d/e/f").at("d"),
            ok("dot", ".", "d/e").at("d/e"),
            fails("empty", "", NotFound).at("d/e"),
            fails("missing", "d", NotFound).at("d/e"),
            ok("dots-and-slashes", ".//.//f", "d/e/f").at("d/e"),
        ],
    )
}

/// Names that would be equal if slashes, or where names end, were not part of what is looked up.
fn shapes() -> Draft {
    draft(
        "shapes",
        "ab/c/d a/bc/d2 abc/d3 a/b/c/d4 abcd a/bcd",
        vec![
            ok("ab-c-d", "ab/c/d", "ab/c/d"),
            ok("a-bc-d2", "a/bc/d2", "a/bc/d2"),
            ok("abc-d3", "abc/d3", "abc/d3"),
            ok("a-b-c-d4", "a/b/c/d4", "a/b/c/d4"),
            fails("a-bc-d", "a/bc/d", NotFound),
            fails("abc-d", "abc/d", NotFound),
            ok("abcd", "abcd", "abcd"),
            ok("a-bcd", "a/bcd", "a/bcd"),
            fails("ab-cd", "ab/cd", NotFound),
            fails("a-b-cd", "a/b/cd", NotFound),
            fails("file-onwards", "abcd/a", NotADirectory),
        ],
    )
}

/// Targets of 4095 bytes, and paths that grow past 4095 only by what links put in.
fn long_targets() -> Draft {
    draft(
        "long-targets",
        "d/f dots->{./*2046}d up->{../*1364}d slashes->/{/*4090}d/f missing->{./*2040}nothing long->{x*4095} \
         hop/1->{./*2046}2 hop/2->{./*2046}3 hop/3->{./*2046}4 hop/4->{./*2046}5 hop/5",
        vec![
            ok("dots", "dots", "d"),
            ok("dots-onwards", "dots/f", "d/f"),
            ok("dots-and-long-path", "{./*2000}dots/{./*40}f", "d/f"),
            ok("up", "up/f", "d/f"),
            ok("slashes", "slashes", "d/f"),
            fails("slashes-onwards", "slashes/x", NotADirectory),
            fails("missing", "missing", NotFound),
            fails("one-long-name", "long", NameTooLong),
            ok("one-long-name-nofollow", "long", "long").nofollow(),
            ok("hops", "hop/1", "hop/5"),
            fails("hops-slash", "hop/1/", NotADirectory),
        ],
    )
}
