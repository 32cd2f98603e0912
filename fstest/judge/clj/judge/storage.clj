(ns judge.storage
  "Databases in SQL storage, and memory that is one."
  (:require [datomic.cache :as cache]
            [datomic.catalog :as catalog]
            [datomic.coordination :as coordination]
            [datomic.domain :as domain]
            [datomic.garbage :as garbage]
            [datomic.peer :as peer]
            [datomic.uri :as uri]
            [judge.digest :as digest])
  (:import (java.sql DriverManager)))

(defn uri-of
  "The Datomic URI of the database name in the storage that jdbc, a JDBC URL with
  its credentials, leads to."
  [jdbc name]
  (str "datomic:sql://" name "?" jdbc))

(defn system
  "The part of the storage that belongs to no one database."
  [jdbc]
  (coordination/create-system-cluster (uri/parse-db (uri-of jdbc "any"))))

(defn forget
  "Empties the cache of segments. It knows them by id alone, so that one which was
  read from one storage would stand in for a torn one in another."
  []
  (cache/clear (domain/system-cache)))

(defn names
  "What the catalog says."
  [jdbc]
  (let [known (catalog/get-catalog (system jdbc))]
    {"names"   (into {} (for [name (catalog/db-names known)] [name (catalog/db-name->db-id known name)]))
     "deleted" (vec (:datomic/deleted known))}))

(defn content
  "Opens the database without a transactor and reads all of it."
  [jdbc name]
  (forget)
  (digest/content (peer/connect-to-storage (uri/parse-db (uri-of jdbc name)))))

(defn rename [jdbc from to]
  (catalog/rename-database (system jdbc) from to)
  (names jdbc))

(defn delete
  "Takes the database out of the catalog; its rows stay."
  [jdbc name]
  (catalog/delete-database (system jdbc) name)
  (names jdbc))

(def ^:private cluster-of
  (memoize coordination/create-db-cluster))

(defn cluster
  "The storage of one database, and its db-id. The same object at each call: garbage
  waits in memory under the object that marked it."
  [jdbc name]
  (let [conf (coordination/cluster-conf->resolved-conf (uri/parse-db (uri-of jdbc name)))]
    {:db-id (:db-id conf), :cluster (cluster-of (dissoc conf :db-name))}))

(defn gc
  "Deletes the rows of superseded segments, however young: how many."
  [jdbc name]
  (let [{:keys [cluster]} (cluster jdbc name)]
    (garbage/flush-garbage cluster (domain/system-cache-olookup cluster))
    (garbage/gc cluster (java.util.Date.))))

(def ^:private table
  "create table datomic_kvs (id varchar(400) primary key, rev integer, map varchar(100000000), val varbinary(1000000000))")

(defn with-memory
  "Calls f with the JDBC URL of a storage that lives in memory as long as f runs."
  [f]
  (let [jdbc (str "jdbc:h2:mem:" (random-uuid) ";DB_CLOSE_DELAY=-1")]
    (with-open [held (DriverManager/getConnection jdbc)
                stmt (.createStatement held)]
      (.execute stmt table)
      (try (f jdbc)
           (finally (.execute stmt "shutdown immediately"))))))
