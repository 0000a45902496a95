"""The database: statements, rows, engines, schema.

SQLite by default, PostgreSQL for several replicas; one schema and one behaviour on both, held by one conformance suite.
Nobody else in the house writes SQL or knows a driver.
"""

from doorward.store.opening import open_store as open_store
from doorward.store.opening import read_url as read_url
from doorward.store.sql import Append as Append
from doorward.store.sql import Cursor as Cursor
from doorward.store.sql import ForeignKeyViolation as ForeignKeyViolation
from doorward.store.sql import Insert as Insert
from doorward.store.sql import Lookup as Lookup
from doorward.store.sql import Param as Param
from doorward.store.sql import Row as Row
from doorward.store.sql import Sql as Sql
from doorward.store.sql import Store as Store
from doorward.store.sql import UniqueViolation as UniqueViolation
from doorward.store.sql import UseCase as UseCase
from doorward.store.sql import Violation as Violation
