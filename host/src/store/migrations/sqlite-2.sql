CREATE TABLE delivery (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
UPDATE decision SET due = json_extract(value, '$.at');
UPDATE allowed_transaction SET due =
    (SELECT due FROM decision WHERE decision.key = json_extract(allowed_transaction.value, '$.decision'));
UPDATE cap SET due = (SELECT max(due) FROM reservation WHERE parent = cap.key);
UPDATE cap SET due = 0 WHERE due IS NULL;
CREATE INDEX delivery_due ON delivery (due);
CREATE INDEX decision_due ON decision (due);
CREATE INDEX allowed_transaction_due ON allowed_transaction (due);
CREATE INDEX cap_due ON cap (due);
