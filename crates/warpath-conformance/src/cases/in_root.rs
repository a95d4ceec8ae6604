//! Paths kept inside a root: plain walks, links that lead through links, links to nothing, loops, odd inodes.

use super::{Draft, DraftCase, draft, fails, ok};
use warpath_core::LookupError::{NotADirectory, NotFound, TooManyLinks};

pub(super) fn drafts() -> Vec<Draft> {
    vec![
        plain(),
        through_links(),
        to_nothing(),
        far_to_nothing(),
        loops(),
        no_directories(),
        devices(),
        swapped(),
    ]
}

fn plain() -> Draft {
    draft(
        "plain",
        "hall/ wing/door/stair/attic/box/ wing/pipe| wing/sock@ wing/door/note",
        vec![
            ok("directory", "hall", "hall"),
            ok("directory-far-down", "wing/door/stair/attic/box", "wing/door/stair/attic/box"),
            ok(
                "slashes-and-dots-everywhere",
                "wing////.//door/.///./stair//.//././/attic/././box//.//./.",
                "wing/door/stair/attic/box",
            ),
            ok("file", "wing/door/note", "wing/door/note"),
            ok("pipe", "wing/pipe", "wing/pipe"),
            ok("socket", "wing/sock", "wing/sock"),
            fails("missing-in-empty-directory", "hall/door/stair/attic/box/1/2/3", NotFound),
            fails("missing-then-up", "hall/nowhere/../door/stair", NotFound),
            ok("from-the-root", "/wing/door", "wing/door"),
            ok("from-the-root-with-slashes", "///wing//door/", "wing/door"),
        ],
    )
}

/// Every way to the same directory, in the five ways in which a path may go on from there.
fn through_links() -> Draft {
    let ways = [
        ("straight", "goal"),
        ("one-absolute", "one/abs"),
        ("one-relative", "one/rel"),
        ("two-absolute-absolute", "two/abs/abs"),
        ("two-absolute-relative", "two/abs/rel"),
        ("two-absolute-up", "two/abs/../goal"),
        ("two-relative-absolute", "two/rel/abs"),
        ("two-relative-relative", "two/rel/rel"),
        ("two-relative-up", "two/rel/../goal"),
        ("three-absolute", "three/abs"),
        ("three-relative", "three/rel"),
    ];
    let onwards = |(name, way): (&str, &str)| -> [DraftCase; 7] {
        [
            ok(name, way, "goal"),
            ok(format!("{name}-slash"), format!("{way}/"), "goal"),
            ok(format!("{name}-slashes"), format!("{way}//"), "goal"),
            fails(format!("{name}-missing"), format!("{way}/cup"), NotFound),
            fails(format!("{name}-up-and-missing"), format!("{way}/../goal/cup/saucer/../spoon"), NotFound),
            ok(format!("{name}-up"), format!("{way}/.."), "/"),
            ok(format!("{name}-slash-nofollow"), format!("{way}/"), "goal").nofollow(),
        ]
    };
    let mut cases: Vec<DraftCase> = ways.into_iter().flat_map(onwards).collect();
    cases.extend([
        ok("one-absolute-nofollow", "one/abs", "one/abs").nofollow(),
        ok("two-relative-relative-nofollow", "two/rel/rel", "one/rel").nofollow(),
        ok("three-relative-nofollow", "three/rel", "three/rel").nofollow(),
    ]);
    draft(
        "through-links",
        "goal/ one/abs->/goal one/rel->../goal two/abs->/one two/rel->../one three/abs->/two/rel/rel three/rel->../two/rel/rel",
        cases,
    )
}

fn to_nothing() -> Draft {
    let mut cases = Vec::new();
    for (place, directory) in [("root", ""), ("below", "side/")] {
        for link in ["lost1", "lost2", "lost3"] {
            let way = format!("{directory}{link}");
            cases.extend([
                fails(format!("{place}-{link}"), way.clone(), NotFound),
                fails(format!("{place}-{link}-onwards"), format!("{way}/cup"), NotFound),
                fails(format!("{place}-{link}-up"), format!("{way}/../cup/spoon"), NotFound),
                fails(format!("{place}-{link}-slash-nofollow"), format!("{way}/"), NotFound).nofollow(),
                ok(format!("{place}-{link}-nofollow"), way.clone(), way).nofollow(),
            ]);
        }
    }
    for link in ["far1", "far2"] {
        cases.extend([
            fails(link, format!("three/{link}"), NotFound),
            fails(format!("{link}-onwards"), format!("three/{link}/cup"), NotFound),
            fails(format!("{link}-up"), format!("three/{link}/.."), NotFound),
            ok(format!("{link}-nofollow"), format!("three/{link}"), format!("three/{link}")).nofollow(),
        ]);
    }
    draft(
        "to-nothing",
        "hall/ wing/ lost1->hall/void lost2->hall/void/deep/deeper/.. lost3->hall/void/../../wing \
         side/lost1->hall/void side/lost2->hall/void/deep/deeper/.. side/lost3->hall/void/../../wing \
         goal/ one/rel->../goal two/rel->../one three/far1->../two/rel/rel/void three/far2->/two/rel/rel/void",
        cases,
    )
}

/// Links that lead to links, each by way of a directory, to a missing entry in the end, or to one below a file.
fn far_to_nothing() -> Draft {
    let mut cases = Vec::new();
    for (name, top, error) in [("missing", "trail", NotFound), ("below-a-file", "track", NotADirectory)] {
        for (n, way) in ["a", "b/c", "c", "d/e", "e", "g"].into_iter().enumerate() {
            let way = format!("{top}/{way}");
            cases.push(fails(format!("{name}-{}", n + 1), way.clone(), error));
            cases.push(ok(format!("{name}-{}-nofollow", n + 1), way.clone(), way).nofollow());
        }
    }
    let chain = |top: &str, last: &str| {
        format!(
            "{top}/a->b/c {top}/b/c->../c {top}/c->d/e {top}/d/e->../e {top}/e->f/../g {top}/f/ {top}/g->{last} "
        )
    };
    let tree = chain("trail", "h/i/j/void")
        + "trail/h/i/j/ "
        + &chain("track", "h/i/j/note/void")
        + "track/h/i/j/note";
    draft("far-to-nothing", tree, cases)
}

fn loops() -> Draft {
    draft(
        "loops",
        "spin/self->self spin/absolute->/spin/absolute spin/up->../spin/up \
         spin/p/x->../q/x spin/q/x->/spin/r/x spin/r/x->/spin/s/x spin/s->t spin/t/x->../p/x spin/x->p/x \
         ping->pong pong->ping below->below/more",
        vec![
            fails("over-directories", "spin/x", TooManyLinks),
            fails("over-directories-slash", "spin/x/", TooManyLinks).nofollow(),
            ok("over-directories-nofollow", "spin/x", "spin/x").nofollow(),
            fails("self", "spin/self", TooManyLinks),
            fails("self-absolute", "spin/absolute", TooManyLinks),
            fails("self-by-parent", "spin/up", TooManyLinks),
            fails("two", "ping", TooManyLinks),
            fails("two-onwards", "pong/test", TooManyLinks),
            fails("two-onwards-nofollow", "ping/test", TooManyLinks).nofollow(),
            fails("two-up", "ping/..", TooManyLinks),
            fails("below-itself", "below", TooManyLinks),
            fails("self-no-symlinks", "spin/self", TooManyLinks).no_symlinks(),
            fails("self-beneath", "spin/self", TooManyLinks).beneath(),
        ],
    )
}

/// What is no directory, where one is needed.
fn no_directories() -> Draft {
    let mut cases = Vec::new();
    for (name, way) in
        [("file", "wing/door/note"), ("link-to-file", "note"), ("pipe", "wing/pipe"), ("socket", "wing/sock")]
    {
        for (what, more) in [
            ("slash", "/"),
            ("slashes", "//"),
            ("dot", "/."),
            ("up", "/.."),
            ("up-and-onwards", "/../hall/cup"),
            ("onwards", "/cup"),
            ("dot-slash", "/./"),
        ] {
            cases.push(fails(format!("{name}-{what}"), format!("{way}{more}"), NotADirectory));
            cases.push(
                fails(format!("{name}-{what}-nofollow"), format!("{way}{more}"), NotADirectory).nofollow(),
            );
        }
    }
    draft("no-directories", "hall/ wing/door/note wing/pipe| wing/sock@ note->wing/door/note", cases)
}

fn devices() -> Draft {
    let mut cases = Vec::new();
    for (name, way) in [("characters", "bad/chr"), ("blocks", "bad/blk")] {
        cases.push(ok(name, way, way));
        for (what, more) in [("dot", "/."), ("up", "/.."), ("up-and-onwards", "/../bad/cup"), ("slash", "/")]
        {
            cases.push(fails(format!("{name}-{what}"), format!("{way}{more}"), NotADirectory));
        }
    }
    draft("devices", "bad/chr% bad/blk#", cases)
}

/// A path that crosses directories and links again and again, with a directory, a link, a file, a link to nothing
/// or a link out of the root in one place. Public suites swap these under a running lookup; here each state that
/// a lookup may meet is a tree of its own.
fn swapped() -> Draft {
    let forth = "p/q/r/../r/../r/../r/s/../s/../s/t";
    let mut cases = Vec::new();
    for (name, top, plain, crossed) in [
        ("directory", "d", Some("d/p/q/r/s/t"), Some("d/p/q/r/s/t")),
        ("link-zigzag", "z", Some("d/p/q/r/s/t"), Some("d/p/q/r/s/t")),
        ("link-inner", "i", Some("d/p/q/r/s/t"), Some("d/p/q/r/s/t")),
        ("out-of-root", "o", Some("p/q/r/s/t"), Some("p/q/r/s/t")),
    ] {
        for (what, way, found) in [("", "p/q/r/s/t", plain), ("-crossing", forth, crossed)] {
            cases.extend(found.map(|found| ok(format!("{name}{what}"), format!("{top}/{way}"), found)));
        }
    }
    for (name, top, error) in [("file", "f", NotADirectory), ("link-to-nothing", "n", NotFound)] {
        cases.push(fails(name, format!("{top}/p/q/r/s/t"), error));
        cases.push(fails(format!("{name}-crossing"), format!("{top}/{forth}"), error));
    }
    cases.extend([
        ok("root-again-and-again", "d/p/../../{d/p/../../*6}d/p/q/r/s/t", "d/p/q/r/s/t"),
        ok("above-the-root", "d/{p/q/r/../../../*10}p/q/r/s/t", "d/p/q/r/s/t"),
    ]);
    draft(
        "swapped",
        "d/p/q/r/s/t z/p/q->../../d/p/../p/../p/../p/../p/q i/p/q/r->../../../d/p/q/../q/../q/../q/r \
         o/p->../../../../../../p p/q/r/s/t f/p/q n/p/q->/foobar",
        cases,
    )
}
