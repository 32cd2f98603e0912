(ns judge.writer
  "Writes databases with the functions that a transactor uses and the peer's jar
  has. One process at a time may write to a storage: nothing elects it."
  (:require [clojure.string :as str]
            [datomic.api :as d]
            [datomic.catalog :as catalog]
            [datomic.db :as db]
            [datomic.db-io :as db-io]
            [datomic.domain :as domain]
            [datomic.garbage :as garbage]
            [datomic.index :as index]
            [datomic.log :as log]
            [judge.storage :as storage])
  (:import (java.util Date Random UUID)))

;; Directories are small if the property says so, for a small database to have the
;; shape of a big one: Datomic's own have a thousand leaves and more.
(when-let [leaves (some-> (System/getProperty "judge.leavesPerDir") parse-long)]
  (alter-var-root #'index/start-dirs-pipeline
                  (fn [real]
                    (fn [& {:as options}]
                      (apply real (mapcat identity (assoc options :dirnode-size leaves))))))
  (alter-var-root #'log/dir-threshold (constantly leaves)))

(defn- load-state [{:keys [cluster lookup db-id] :as state}]
  (assoc state
         :db (:db (db-io/load-db-from-basis cluster lookup db-id nil true))
         :log (log/find-log cluster lookup)))

(defn- open
  "Opens the database, and makes it if the catalog has none of the name."
  [jdbc name]
  (garbage/install-mark-handler)
  (catalog/create-database (storage/system jdbc) {:db-name name})
  (let [{:keys [cluster db-id]} (storage/cluster jdbc name)
        lookup (domain/system-cache-olookup cluster)]
    (log/ensure-index-and-log cluster lookup db-id)
    (garbage/ensure-root-ref cluster)
    (load-state {:cluster cluster, :lookup lookup, :db-id db-id})))

(defn- speculate
  "Adds a transaction to db: the new db, and what the log is to keep of it."
  [db tx-data]
  (let [{:keys [db-after tx-data]} (d/with db tx-data)
        id (UUID/randomUUID)
        tx {:id id, :t (d/basis-t db-after), :data tx-data}]
    [db-after {:id id, :tx tx, :fressianed-tx (log/fressianed-tx tx)}]))

(defn- transact
  "Transactions of one append to the log, as a busy transactor bundles them."
  [state txs]
  (let [[db entries] (reduce (fn [[db entries] tx]
                               (let [[after entry] (speculate db tx)]
                                 [after (conj entries entry)]))
                             [(:db state) []]
                             txs)]
    (assoc state :db db :log (log/append (:log state) (:cluster state) entries))))

(defn- reindex
  "Moves the log's tail into its tree and merges what is new into the indexes."
  [{:keys [cluster lookup] :as state}]
  (log/segment cluster lookup)
  (let [{:keys [db] :as state} (load-state state)
        ready (db/prepare-for-indexing db)]
    (index/merge-db cluster lookup ready (d/next-t ready))
    (load-state state)))

(def ^:private schema
  (for [[ident type & options] [[:order/number :long :db/index]
                                [:order/sku :string :db/index]
                                [:order/note :string]
                                [:order/text :string :db/fulltext]
                                [:order/price :double]
                                [:order/placed :instant]
                                [:order/key :uuid]
                                [:order/state :keyword]
                                [:order/before :ref]]]
    (into {:db/ident ident
           :db/valueType (keyword "db.type" (name type))
           :db/cardinality :db.cardinality/one}
          (map #(vector % true) options))))

(def ^:private vocabulary
  (let [random (Random. 1)
        letter #(char (+ (int \a) (.nextInt random 26)))]
    (vec (repeatedly 3000 #(str/join (repeatedly (+ 3 (.nextInt random 8)) letter))))))

(defn- order [^Random random number]
  (let [words (fn [n] (str/join " " (repeatedly n #(nth vocabulary (.nextInt random (count vocabulary))))))]
    (cond-> {:db/id        (str number)
             :order/number number
             :order/sku    (str "SKU-" (.nextInt random 100000))
             :order/note   (words 8)
             :order/price  (.nextDouble random)
             :order/placed (Date. (+ 1700000000000 (* 1000 (long number))))
             :order/key    (UUID. (.nextLong random) (.nextLong random))
             :order/state  (nth [:new :paid :sent :done] (.nextInt random 4))}
      (zero? (mod number 50)) (assoc :order/text (words 20))
      (odd? number)           (assoc :order/before :order/state))))

(defn- with-schema [state]
  (if (d/entid (:db state) :order/number)
    state
    (transact state [schema])))

(defn- summary [{:keys [db db-id]}]
  {"db-id" db-id, "t" (d/basis-t db)})

(def ^:private per-append 1000)
(def ^:private appends-per-index 24)

(defn make
  "A database of n orders, 200 a transaction, all of them indexed."
  [jdbc name n]
  (let [random (Random. 7)
        txs    (partition-all 200 (range n))
        jobs   (partition-all (* appends-per-index (quot per-append 200)) txs)
        write  (fn [state txs]
                 (reindex (reduce (fn [state some] (transact state (for [tx some] (map #(order random %) tx))))
                                  state
                                  (partition-all (quot per-append 200) txs))))]
    (summary (reduce write (with-schema (open jdbc name)) jobs))))

(defn more
  "k transactions of ten orders, each an append of its own, to any database
  (the schema first if it has none), and then an index job if index? says so."
  [jdbc name k index?]
  (let [random (Random.)
        orders (fn [] (repeatedly 10 #(order random (+ 50000000 (.nextInt random 10000000)))))
        state  (nth (iterate #(transact % [(orders)]) (with-schema (open jdbc name))) k)]
    (summary (if index? (reindex state) state))))
