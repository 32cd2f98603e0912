(ns judge.main
  "Answers requests, one a line, until standard input ends.

  A request is a vector, [number operation argument...]; as JSON writes an array
  of numbers, strings and booleans, so EDN reads it. An answer is a line of JSON,
  {\"number\": .., \"value\": ..} or, instead of the value, \"error\" and \"kind\"."
  (:require [clojure.edn :as edn]
            [clojure.string :as str]
            [datomic.peer :as peer]
            [judge.backups :as backups]
            [judge.storage :as storage]
            [judge.writer :as writer])
  (:import (java.util.concurrent.locks ReentrantReadWriteLock)))

(defn- json-string [s]
  (str \" (str/replace s #"[\"\\\x00-\x1f]" #(format "\\\\u%04x" (int (first %)))) \"))

(defn- json [x]
  (cond (nil? x)                         "null"
        (or (number? x) (boolean? x))    (str x)
        (map? x)                         (str "{" (str/join "," (for [[k v] x] (str (json-string k) ":" (json v)))) "}")
        (sequential? x)                  (str "[" (str/join "," (map json x)) "]")
        :else                            (json-string (str x))))

(def ^:private reading
  {"judge"   backups/judge
   "content" storage/content})

(def ^:private doing
  {"describe" backups/describe
   "verify"   backups/verify
   "backup"   backups/write
   "restore"  backups/restore
   "names"    storage/names
   "rename"   storage/rename
   "delete"   storage/delete
   "gc"       storage/gc
   "make"     writer/make
   "more"     writer/more})

;; Whoever judges must be alone: the cache of segments is everybody's.
(def ^:private turn (ReentrantReadWriteLock. true))

(defn- run [operation args]
  (let [f    (or (reading operation) (doing operation) (throw (ex-info (str "no operation " operation) {})))
        lock (if (reading operation) (.writeLock turn) (.readLock turn))]
    (.lock lock)
    (try (apply f args)
         (finally (.unlock lock)))))

(defn- causes [e]
  (take-while some? (iterate ex-cause e)))

(defn- answer [number operation args]
  (try {"number" number, "value" (run operation args)}
       (catch Throwable e
         {"number" number
          "error"  (str/join ": " (distinct (map #(or (ex-message %) (str (class %))) (causes e))))
          "kind"   (str (some #(or (:db/error (ex-data %)) (:cognitect.anomalies/category (ex-data %))) (causes e)))})))

(defn -main []
  (let [out  *out*
        send (fn [x] (locking out (.write out (str (json x) "\n")) (.flush out)))]
    (System/setOut System/err)
    @peer/initialize
    (send {"number" 0})
    (doseq [line (line-seq (java.io.BufferedReader. *in*))
            :let [[number operation & args] (edn/read-string line)]]
      (future (binding [*out* *err*] (send (answer number operation args)))))
    (System/exit 0)))
