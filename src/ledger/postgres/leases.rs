//! Leases: who may send by which number, and who does which of the keeper's tasks; by the database's clock alone.
