// What a path names, a component at a time. Twin of core's resolve.rs from `final_entry` on, function by function.

// The outcome of a path that ends at this entry, with no slash behind it, after following `links_before` links.
fn final_entry(slot: Slot, links_before: u32) -> u32 {
    if (slot.key2_kind & KIND_MASK) != KIND_SYMLINK {
        return slot.inode;
    }
    if query_flag(QUERY_NO_FOLLOW) {
        return own_inode(slot);
    }
    var links = links_before;
    let link = follow(slot, &links);
    return select(failed(link.status), link.record.inode, link.status == STATUS_FOUND);
}

// The inode of a symbolic link that is not followed.
fn own_inode(slot: Slot) -> u32 {
    if !table_flag(TABLE_HAS_ALIASES) {
        return slot.inode;
    }
    let link = link_record(slot.inode);
    return select(slot.inode, link.record.own, link.status == STATUS_FOUND);
}

// A link's record, or the status that says why there is none to use.
struct Link {
    status: u32,
    record: LinkRecord,
}

const NO_LINK: LinkRecord = LinkRecord(INVALID_INODE, 0u, INVALID_INODE, INVALID_INODE);

fn link_status(record: LinkRecord) -> u32 {
    return record.outcome & 0xffu;
}

fn link_kind(record: LinkRecord) -> u32 {
    return (record.outcome >> 8u) & 0xffu;
}

fn link_count(record: LinkRecord) -> u32 {
    return (record.outcome >> 16u) & 0xffu;
}

// Follows a symbolic link: counts its links and returns its record when it leads to an inode.
fn follow(slot: Slot, links: ptr<function, u32>) -> Link {
    if query_flag(QUERY_NO_SYMLINKS) {
        return Link(STATUS_TOO_MANY_LINKS, NO_LINK);
    }
    let link = link_record(slot.inode);
    if link.status != STATUS_FOUND {
        return link;
    }
    *links += link_count(link.record);
    if *links > MAX_LINKS {
        return Link(STATUS_TOO_MANY_LINKS, NO_LINK);
    }
    return Link(link_status(link.record), link.record);
}

// Answers a path a component at a time, exactly as the kernel would.
fn walk(path: Path) -> u32 {
    let beneath = query_flag(QUERY_BENEATH);
    let strict = table_flag(TABLE_STRICT);
    // One thread would take long to look for a NUL there.
    if path.length > MAX_PATH {
        return OUTCOME_HOST;
    }
    if find_byte(path, 0u, 0u) < path.length {
        return failed(STATUS_INVALID);
    }
    if path.length == 0u {
        return failed(STATUS_NOT_FOUND);
    }
    let absolute = path_byte(path, 0u) == SLASH;
    if absolute && beneath {
        return failed(STATUS_LEAVES_ROOT);
    }
    let top = select(ROOT, batch.query.start, beneath);
    var directory = select(batch.query.start, ROOT, absolute);
    var state = state_of(directory);
    if !state.exists {
        return failed(STATUS_NOT_A_DIRECTORY);
    }
    var links = 0u;
    var at = 0u;
    loop {
        while at < path.length && path_byte(path, at) == SLASH {
            at++;
        }
        if at == path.length {
            return directory;
        }
        let component = at;
        at = find_byte(path, at, SLASH);
        let name = name_of(path, component, at);
        if name == NAME_DOT {
            continue;
        }
        if name == NAME_DOT_DOT {
            if directory == top && beneath {
                return failed(STATUS_LEAVES_ROOT);
            }
            if directory == top {
                continue;
            }
            let here = dir_record(directory);
            if !here.exists {
                return failed(STATUS_NOT_A_DIRECTORY);
            }
            directory = here.record.parent;
            state = state_of(directory);
            if !state.exists {
                return failed(STATUS_NOT_A_DIRECTORY);
            }
            continue;
        }
        if name == NAME_TOO_LONG {
            return failed(STATUS_NAME_TOO_LONG);
        }
        state.state = child(state.state, path, component, at);
        let slot = probe(finish(state.state));
        if is_empty(slot) {
            return missing(directory);
        }
        let kind = slot.key2_kind & KIND_MASK;
        let last = at == path.length;
        if kind == KIND_DIRECTORY {
            directory = slot.inode;
            if strict || state.state.length > MAX_PATH {
                state = state_of(directory);
                if !state.exists {
                    return failed(STATUS_NOT_A_DIRECTORY);
                }
            }
        } else if last {
            return final_entry(slot, links);
        } else if kind == KIND_SYMLINK {
            let link = follow(slot, &links);
            if link.status != STATUS_FOUND {
                return failed(link.status);
            }
            if link_kind(link.record) != KIND_DIRECTORY {
                return failed(STATUS_NOT_A_DIRECTORY);
            }
            directory = link.record.inode;
            state = state_of(directory);
            if !state.exists {
                return failed(STATUS_NOT_A_DIRECTORY);
            }
        } else {
            return failed(STATUS_NOT_A_DIRECTORY);
        }
    }
    // The loop ends by its returns; not every translator sees that.
    return failed(STATUS_NOT_FOUND);
}

const SLASH: u32 = 0x2fu;
const DOT: u32 = 0x2eu;

// What a component is, before it is looked up.
const NAME_PLAIN: u32 = 0u;
const NAME_DOT: u32 = 1u;
const NAME_DOT_DOT: u32 = 2u;
const NAME_TOO_LONG: u32 = 3u;

fn name_of(path: Path, at: u32, end: u32) -> u32 {
    let length = end - at;
    if length > 2u {
        return select(NAME_PLAIN, NAME_TOO_LONG, length > MAX_NAME);
    }
    let name = load(path, at, length).x;
    if name == DOT {
        return NAME_DOT;
    }
    return select(NAME_PLAIN, NAME_DOT_DOT, name == (DOT | (DOT << 8u)));
}

// What it means that `directory` has no such entry.
fn missing(directory: u32) -> u32 {
    if table_flag(TABLE_HAS_PARTIAL) {
        let here = dir_record(directory);
        if here.exists && (here.record.flags & DIR_PARTIAL) != 0u {
            return failed(STATUS_NOT_INDEXED);
        }
    }
    return failed(STATUS_NOT_FOUND);
}

// The state from which the keys of a directory's entries continue; what is no directory has none.
struct DirState {
    exists: bool,
    state: State,
}

fn state_of(directory: u32) -> DirState {
    let here = dir_record(directory);
    return DirState(here.exists, state_of_record(here.record));
}

// The record of a directory; what is none has none.
struct Dir {
    exists: bool,
    record: DirRecord,
}

const NO_DIR: DirRecord = DirRecord(0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u);

fn dir_record(inode: u32) -> Dir {
    let number = inode / BLOCK_INODES;
    if number >= index.n_blocks {
        return Dir(false, NO_DIR);
    }
    let block = block_at(number);
    let bit = inode % BLOCK_INODES;
    let record = rank(block.dir_base, block.dir_bits, bit);
    if ((block.dir_bits >> bit) & 1u) == 0u || record >= index.table.n_dirs {
        return Dir(false, NO_DIR);
    }
    return Dir(true, dir_at(record));
}

// The record of a symbolic link, as the query sees it; NOT_INDEXED for what is no link.
fn link_record(inode: u32) -> Link {
    let number = inode / BLOCK_INODES;
    if number >= index.n_blocks {
        return Link(STATUS_NOT_INDEXED, NO_LINK);
    }
    let block = block_at(number);
    let bit = inode % BLOCK_INODES;
    let record = rank(block.link_base, block.link_bits, bit);
    if ((block.link_bits >> bit) & 1u) == 0u || record >= index.table.n_links {
        return Link(STATUS_NOT_INDEXED, NO_LINK);
    }
    return Link(STATUS_FOUND, link_at(record));
}

// Number of the record of bit `bit`.
fn rank(base: u32, bits: u32, bit: u32) -> u32 {
    return base + countOneBits(bits & ((1u << bit) - 1u));
}
