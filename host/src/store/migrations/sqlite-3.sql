CREATE TABLE account (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE TABLE band (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE TABLE ticket (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE TABLE status_list (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE TABLE status_part (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE INDEX ticket_due ON ticket (due);
CREATE INDEX status_part_parent ON status_part (parent);
