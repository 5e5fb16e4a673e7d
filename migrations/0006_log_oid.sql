-- A dump that is put back into the server it came from makes other tables of the same server and
-- timeline: they are told apart by their oid. Null where an older program has written the row.
alter table log_epochs add column log_oid oid;
update log_epochs set log_oid = 'events'::regclass;
