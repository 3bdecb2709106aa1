//! One flipped bit, in each byte of each row that a start reads, on SQLite, and of every seventh on PostgreSQL: the store does not open and says that
//! the database is damaged, or it answers what it answered before. Never anything else, and never a panic.
//!
//! The database's own checks are out of the way here: rows are altered with SQL, as if its pages were sound.

use std::{collections::BTreeMap, path::Path};

use sets::{Key, Person, Set, SetId};

use crate::{
    DataFolder, Error, KeepIdentifiers, MasterKey, Meta, Options, Store, Tx, Verdict, Workspace,
    WorkspaceSecret,
    connection::{Connection, Mode},
    folder::DatabaseUrl,
    migrations,
    tests::databases,
    value::Value,
};

/// Sets that may have members: three with some, one that was dropped, and their neighbours by one bit.
const SETS: std::ops::Range<SetId> = -1..10;
const KEYS: u64 = 20;
/// Tables and their columns that a start relies on.
const TABLES: [(&str, &[&str]); 6] = [
    (
        "change",
        &[
            "seq",
            "time",
            "actor",
            "verb",
            "request_id",
            "command_id",
            "identity",
            "prev_hash",
            "hash",
        ],
    ),
    ("change_set", &["set_id", "seq", "op", "added", "removed"]),
    ("key_block", &["block_no", "bytes", "sum"]),
    ("snapshot", &["set_id", "seq", "members", "sum", "bytes"]),
    (
        "checkpoint",
        &["seq", "next_person", "next_position", "sum"],
    ),
    ("head", &["seq", "next_position", "hash"]),
];

pub(crate) fn key(number: u64) -> Key {
    let bits = u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Key::from_bytes(bits.to_le_bytes())
}

pub(crate) fn open(folder: &Path, url: &DatabaseUrl) -> Result<Store, Error> {
    let options = Options {
        url: url.clone(),
        read_connections: 1,
        sets_memory_bytes: u64::MAX,
        now: 1,
        new_master: MasterKey::new([7; 32]),
        new_database_id: "damage".into(),
    };
    Store::open(
        DataFolder::open(&folder.join("data"))?,
        options,
        &mut |_, _, _| {},
    )
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

pub(crate) fn command(
    store: &Store,
    number: u64,
    run: impl Fn(&mut Tx<'_, '_>) -> Result<(), Error> + Send + 'static,
) {
    let meta = Meta {
        time: number as i64,
        actor: 3,
        verb: "test",
        request_id: format!("request {number}"),
        command_id: format!("command {number}"),
        weight: 1,
    };
    let done = store.command(1, meta, move |tx| {
        run(tx)?;
        Ok::<_, Error>(Verdict::Done(()))
    });
    wait(done).expect("is committed");
}

/// Five new people with a key each, in a set; some leave another.
fn batch(store: &Store, number: u64, into: SetId, out_of: SetId) {
    command(store, number, move |tx| {
        let mut people = Vec::new();
        for index in 0..5 {
            let person = tx.new_person().expect("there is room");
            tx.attach(key(number * 5 + index), person, &[b"somebody"]);
            people.push(person);
        }
        tx.set_add(into, &Set::from_sorted(&people))?;
        let leaving: Set = (1..=number as Person + 1).collect();
        tx.set_remove(out_of, &leaving)?;
        Ok(())
    });
}

/// A workspace with rows of every kind: three changes before a checkpoint and two after it.
fn fill(folder: &Path, url: &DatabaseUrl) {
    let store = open(folder, url).expect("opens");
    let new = Workspace {
        id: 0,
        slug: "default".into(),
        name: "Default".into(),
        keep_identifiers: KeepIdentifiers::Sealed,
        created: 1,
    };
    wait(store.workspace_create(new, WorkspaceSecret::new([9; 32]))).expect("is made");
    batch(&store, 0, 5, 4);
    batch(&store, 1, 4, 5);
    command(&store, 20, |tx| {
        tx.set_add(-1, &Set::range(1, 10))?;
        tx.set_add(8, &Set::range(3, 9))?;
        Ok(())
    });
    store.checkpoint_now(1).expect("a checkpoint");
    batch(&store, 2, 5, 4);
    command(&store, 40, |tx| {
        tx.set_drop(8)?;
        Ok(())
    });
    batch(&store, 3, 4, 5);
    store.close();
}

#[derive(Debug, PartialEq)]
struct Answers {
    seq: u64,
    sets: BTreeMap<SetId, Vec<Person>>,
    persons: Vec<Option<Person>>,
}

/// What the store answers, as far as it opens; from the database alone, without what an earlier one left in its cache.
fn answers(folder: &Path, url: &DatabaseUrl) -> Result<Answers, Error> {
    std::fs::remove_dir_all(folder.join("data/cache")).ok();
    let store = open(folder, url)?;
    let keys: Vec<Key> = (0..KEYS).map(key).collect();
    let found = wait(store.persons(1, &keys));
    store.close();
    let (persons, state) = found?;
    let mut sets = BTreeMap::new();
    for id in SETS {
        sets.insert(id, state.set(id)?.to_vec());
    }
    Ok(Answers {
        seq: state.seq,
        sets,
        persons,
    })
}

/// The value with one bit changed, once for each of its bytes; which bit differs from byte to byte.
fn flipped(value: &Value) -> Vec<Value> {
    let each = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let flip = |at: usize| {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << (at * 3 % 8);
            flipped
        };
        (0..bytes.len()).map(flip).collect()
    };
    match value {
        Value::Null => Vec::new(),
        Value::Int(value) => each(&value.to_le_bytes())
            .iter()
            .map(|bytes| {
                Value::Int(i64::from_le_bytes(
                    bytes[..].try_into().expect("is as long"),
                ))
            })
            .collect(),
        // What is no text any more, no text column holds.
        Value::Text(text) => each(text.as_bytes())
            .into_iter()
            .filter_map(|bytes| String::from_utf8(bytes).ok())
            .map(Value::Text)
            .collect(),
        Value::Bytes(bytes) => each(bytes).into_iter().map(Value::Bytes).collect(),
    }
}

/// A row that can be altered and put back.
struct Damaged {
    table: &'static str,
    names: Vec<&'static str>,
    keys: Vec<&'static str>,
    row: Vec<Value>,
}

impl Damaged {
    fn all(connection: &mut Connection, table: &'static str) -> Vec<Damaged> {
        let known = migrations::TABLES.iter().find(|(name, ..)| *name == table);
        let (_, columns, keys) = known.expect("is a table");
        let split = |list: &'static str| list.split(',').map(str::trim).collect::<Vec<_>>();
        connection
            .query_text(
                &format!("SELECT {columns} FROM {table} WHERE workspace_id = 1"),
                &[],
            )
            .expect("reads")
            .into_iter()
            .map(|row| Damaged {
                table,
                names: split(columns),
                keys: split(keys),
                row: row.0,
            })
            .collect()
    }

    fn value(&self, name: &str) -> &Value {
        let place = self.names.iter().position(|other| *other == name);
        &self.row[place.expect("is a column")]
    }

    /// Puts one value in the place of another; not where the database refuses it.
    fn put(&self, connection: &mut Connection, name: &str, from: &Value, to: &Value) -> bool {
        let terms: Vec<String> = (2..)
            .zip(&self.keys)
            .map(|(place, key)| format!("{key} = ${place}"))
            .collect();
        let text = format!(
            "UPDATE {} SET {name} = $1 WHERE {} RETURNING 1",
            self.table,
            terms.join(" AND ")
        );
        let mut params = vec![to.param()];
        for key in &self.keys {
            params.push(if *key == name {
                from.param()
            } else {
                self.value(key).param()
            });
        }
        connection
            .query_text(&text, &params)
            .is_ok_and(|rows| rows.len() == 1)
    }
}

#[test]
fn a_flipped_bit_is_noticed_or_changes_nothing() {
    for (folder, url) in databases() {
        fill(folder.path(), &url);
        let before = answers(folder.path(), &url).expect("opens");
        assert_eq!(
            before.sets[&5],
            [5, 11, 12, 13, 14, 15],
            "the scene is as it is meant"
        );
        let mut connection = Connection::open(&url, Mode::Write).expect("opens");
        // Thousands of commits that need not outlive the machine.
        let careless = match url {
            DatabaseUrl::Sqlite { .. } => "PRAGMA synchronous = OFF",
            DatabaseUrl::Postgres(_) => "SET synchronous_commit = off",
        };
        connection.batch(careless).expect("is set");
        for (table, columns) in TABLES {
            let (mut noticed, mut wrong) = (0, Vec::new());
            for row in Damaged::all(&mut connection, table) {
                for name in columns {
                    let sound = row.value(name);
                    // The code is one; opening takes ten times as long on PostgreSQL.
                    let step = if matches!(url, DatabaseUrl::Sqlite { .. }) {
                        1
                    } else {
                        7
                    };
                    for value in flipped(sound).into_iter().step_by(step) {
                        if !row.put(&mut connection, name, sound, &value) {
                            continue;
                        }
                        match answers(folder.path(), &url) {
                            Ok(after) if after == before => {}
                            Ok(_) => wrong.push(format!("{name} {value:?} for {sound:?}")),
                            Err(error) => {
                                let text = error.to_string();
                                let clear = text.contains("damaged")
                                    || matches!(error, Error::Unreadable(_));
                                assert!(clear, "{table}.{name}: {text}");
                                noticed += 1;
                            }
                        }
                        assert!(row.put(&mut connection, name, &value, sound), "is put back");
                    }
                }
            }
            assert!(
                wrong.is_empty(),
                "{} {table}: {} wrong, the first: {}",
                url.engine(),
                wrong.len(),
                wrong[0]
            );
            assert!(noticed > 0, "{table}: nothing was noticed");
        }
        assert_eq!(answers(folder.path(), &url).expect("opens"), before);
    }
}
