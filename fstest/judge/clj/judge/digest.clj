(ns judge.digest
  "What a database holds, as numbers and digests that two readings of it share.

  A digest is the SHA-256 of lines, sorted as Java sorts strings, each ended by
  a newline; a line is `[entity attribute value tx added]`, the attribute as its
  number, the value with the simple name of its class."
  (:require [clojure.string :as str]
            [datomic.api :as d])
  (:import (datomic.function Function)
           (java.net URI)
           (java.security MessageDigest)
           (java.util Arrays)))

(defn- hex [^bytes bytes]
  (str/join (map #(format "%02x" %) bytes)))

(defprotocol ^:private Text
  (text [value] "The value as it stands in a line."))

(extend-protocol Text
  nil
  (text [_] "nil")
  Object
  (text [value] (str (.getSimpleName (class value)) " " (pr-str value)))
  URI
  (text [uri] (str "#uri " (pr-str (str uri))))
  clojure.lang.IPersistentVector
  (text [tuple] (str "[" (str/join " " (map text tuple)) "]"))
  Function
  (text [f] (str "#fn " (pr-str (into (sorted-map) (select-keys f [:lang :params :code :requires :imports]))))))

;; An array of bytes has no class literal that extend-protocol would take first.
(extend (Class/forName "[B")
  Text
  {:text (fn [bytes] (str "#bytes " (hex bytes)))})

(defn- line ^String [datom]
  (str "[" (:e datom) " " (:a datom) " " (text (:v datom)) " " (:tx datom) " " (:added datom) "]"))

(defn- sha256 [datoms]
  (let [lines (object-array (map line datoms))
        md    (MessageDigest/getInstance "SHA-256")]
    (Arrays/sort lines)
    (doseq [^String l lines]
      (.update md (.getBytes l "UTF-8"))
      (.update md (byte 10)))
    (hex (.digest md))))

(defn- tally [db index]
  (reduce (fn [n _] (inc n)) 0 (d/datoms db index)))

(defn content
  "Reads all of what conn reaches: the four indexes, the history in two of its
  orders, and the log."
  [conn]
  (let [db      (d/db conn)
        history (d/history db)
        txs     (d/tx-range (d/log conn) nil nil)
        logged  #(mapcat :data txs)]
    {"db-id"               (:id db)
     "basis-t"             (d/basis-t db)
     "next-t"              (d/next-t db)
     "eavt-current"        (tally db :eavt)
     "aevt-current"        (tally db :aevt)
     "avet-current"        (tally db :avet)
     "vaet-current"        (tally db :vaet)
     "eavt-history"        (tally history :eavt)
     "sha256-current"      (sha256 (d/datoms db :eavt))
     "sha256-history"      (sha256 (d/datoms history :eavt))
     "sha256-history-aevt" (sha256 (d/datoms history :aevt))
     "log-txs"             (count (seq txs))
     "log-datoms"          (count (logged))
     "sha256-log"          (sha256 (logged))}))
