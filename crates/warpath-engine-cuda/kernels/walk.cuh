// What is computed for a path: twin of `warpath-core/src/resolve.rs`, which defines it.
//
// `direct` is one probe for the whole path. What it can't answer, `search` does where the path is plain: what exists of a
// canonical path is a prefix, so the longest existing one is found by halving. Everything else is left to `walk`, a
// probe a component.
#pragma once
#include "probe.cuh"

struct Outcome {
    unsigned inode, status;
};

DEVICE Outcome found(unsigned inode) { return Outcome{inode, STATUS_FOUND}; }
DEVICE Outcome failed(unsigned status) { return Outcome{INVALID_INODE, status}; }

// Follows a symbolic link: counts its links and gives where it leads, or why nowhere. `kind` is that of the target.
DEVICE Outcome follow(const Tables& tables, unsigned flags, unsigned inode, unsigned& links, unsigned& kind) {
    if (flags & QUERY_NO_SYMLINKS) return failed(STATUS_TOO_MANY_LINKS);
    const LinkRecord* record = link_record(tables, tables.links, inode);
    if (record == nullptr) return failed(STATUS_NOT_INDEXED);
    unsigned outcome = record->outcome;
    links += outcome >> 16 & 0xFF;
    if (links > MAX_LINKS) return failed(STATUS_TOO_MANY_LINKS);
    unsigned status = outcome & 0xFF;
    if (status >= STATUS_NOT_FOUND && status <= STATUS_NOT_INDEXED) return failed(status);
    kind = outcome >> 8 & 0xFF;
    return found(record->inode);
}

// The outcome of a path that ends at this entry, with no slash behind it, after following `links` links.
DEVICE Outcome final_entry(const Tables& tables, unsigned flags, const Slot& slot, unsigned links) {
    if (kind_of(slot) != KIND_SYMLINK) return found(slot.inode);
    if (flags & QUERY_NO_FOLLOW) {
        if ((tables.params.flags & TABLE_HAS_ALIASES) == 0) return found(slot.inode);
        const LinkRecord* record = link_record(tables, tables.plain_links, slot.inode);
        return found(record == nullptr ? slot.inode : record->own);
    }
    unsigned kind;
    return follow(tables, flags, slot.inode, links, kind);
}

// What it means that `directory` has no such entry.
DEVICE Outcome missing(const Tables& tables, unsigned directory) {
    if (tables.params.flags & TABLE_HAS_PARTIAL) {
        const DirRecord* record = dir_record(tables, directory);
        if (record != nullptr && (record->flags & DIR_PARTIAL)) return failed(STATUS_NOT_INDEXED);
    }
    return failed(STATUS_NOT_FOUND);
}

// The state from which the keys of a directory's entries continue; false for what is no directory.
DEVICE bool state_of(const Tables& tables, unsigned directory, State& state) {
    const DirRecord* record = dir_record(tables, directory);
    if (record == nullptr) return false;
    state = state_of_record(*record);
    return true;
}

// Whether no path may be answered by the direct probe.
DEVICE bool walks_all(const Tables& tables, const QueryParams& query) {
    return (tables.params.flags & TABLE_STRICT) || (query.flags & QUERY_WALK_ONLY);
}

// The key of the whole path where the direct probe may answer it; false where it may not, as where the string is not near.
DEVICE bool direct_key(const Tables& tables, const HashKey& key, const QueryParams& query, const Text& path, Key& out) {
    if (walks_all(tables, query) || path.length == 0 || !is_near(path.length) || path.byte(path.length - 1) == 0) return false;
    if (path.byte(0) == '/') {
        if (query.flags & QUERY_BENEATH) return false;
        out = finish_sums(key, sum_text(key, path));
        return true;
    }
    State state;
    if (!state_of(tables, query.start, state)) return false;
    push_slash(state, key);
    if (!is_near(state.length, path.length)) return false;
    push_near(state, key, path, 0, path.length);
    out = finish_near(key, state);
    return true;
}

// Answers a path by one probe of its whole key, or says nothing (false).
DEVICE bool direct(const Tables& tables, const HashKey& key, const QueryParams& query, const Text& path, Outcome& out) {
    Key whole;
    if (!direct_key(tables, key, query, path, whole)) return false;
    Slot slot = probe(tables, whole);
    if (is_none(slot)) return false;
    out = final_entry(tables, query.flags, slot, 0);
    return true;
}

// Answers a path a component at a time, exactly as the kernel would.
OUTLINE Outcome walk(const Tables& tables, const HashKey& key, const QueryParams& query, const Text& path) {
    for (unsigned i = 0; i < path.length; i++)
        if (path.byte(i) == 0) return failed(STATUS_INVALID);
    if (path.length > MAX_PATH) return failed(STATUS_NAME_TOO_LONG);
    if (path.length == 0) return failed(STATUS_NOT_FOUND);
    bool beneath = query.flags & QUERY_BENEATH, absolute = path.byte(0) == '/';
    bool strict = tables.params.flags & TABLE_STRICT;
    if (absolute && beneath) return failed(STATUS_LEAVES_ROOT);
    unsigned top = beneath ? query.start : ROOT, directory = absolute ? ROOT : query.start;
    State state;
    if (!state_of(tables, directory, state)) return failed(STATUS_NOT_A_DIRECTORY);
    unsigned links = 0, at = 0;
    for (;;) {
        while (at < path.length && path.byte(at) == '/') at++;
        if (at == path.length) return found(directory);
        unsigned from = at;
        while (at < path.length && path.byte(at) != '/') at++;
        unsigned n = at - from;
        if (n <= 2 && path.byte(from) == '.' && path.byte(at - 1) == '.') {
            if (n == 1) continue;
            if (directory == top) {
                if (beneath) return failed(STATUS_LEAVES_ROOT);
                continue;
            }
            const DirRecord* record = dir_record(tables, directory);
            if (record == nullptr) return failed(STATUS_NOT_A_DIRECTORY);
            directory = record->parent;
            if (!state_of(tables, directory, state)) return failed(STATUS_NOT_A_DIRECTORY);
            continue;
        }
        if (n > MAX_NAME) return failed(STATUS_NAME_TOO_LONG);
        push_slash(state, key);
        push_text(state, key, path, from, at);
        Slot slot = probe(tables, finish_state(key, state));
        if (is_none(slot)) return missing(tables, directory);
        unsigned kind = kind_of(slot);
        if (kind == KIND_DIRECTORY) {
            directory = slot.inode;
            if ((strict || state.length > MAX_PATH) && !state_of(tables, directory, state))
                return failed(STATUS_NOT_A_DIRECTORY);
        } else if (at == path.length) {
            return final_entry(tables, query.flags, slot, links);
        } else if (kind == KIND_SYMLINK) {
            unsigned target_kind = KIND_FILE;
            Outcome target = follow(tables, query.flags, slot.inode, links, target_kind);
            if (target.status != STATUS_FOUND) return target;
            if (target_kind != KIND_DIRECTORY) return failed(STATUS_NOT_A_DIRECTORY);
            directory = target.inode;
            if (!state_of(tables, directory, state)) return failed(STATUS_NOT_A_DIRECTORY);
        } else {
            return failed(STATUS_NOT_A_DIRECTORY);
        }
    }
}
