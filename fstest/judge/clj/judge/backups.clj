(ns judge.backups
  "Backup directories: whether they hold what they should, and Datomic's own way of
  writing and restoring them."
  (:require [clojure.java.io :as io]
            [clojure.string :as str]
            [datomic.backup :as backup]
            [datomic.peer :as peer]
            [judge.digest :as digest]
            [judge.storage :as storage]))

(defn- uri-of
  "Without the slash that File puts behind a directory: Datomic adds its own."
  [dir]
  (str "file://" (str/replace (.getRawPath (.toURI (.getAbsoluteFile (io/file dir)))) #"/$" "")))

(defn describe
  "Whose backup it is and which values it has, newest first."
  [dir]
  (let [{:keys [db-id ts]} (backup/describe-backups (uri-of dir))]
    {"db-id" db-id, "ts" (vec ts)}))

(defn verify
  "Reads every segment of one value."
  [dir t]
  (let [found (backup/verify-backup {:backup-uri (uri-of dir) :t t :read-all true})]
    {"total"      (:total-segments found)
     "missing"    (vec (:missing-segments found))
     "unreadable" (vec (:unreadable-segments found))}))

(defn- timed
  "Runs job, which takes a function to be told of each segment, and says how long
  it took and how many segments were copied and skipped."
  [job]
  (let [counts (atom {:copied 0 :skipped 0})
        start  (System/nanoTime)
        result (deref (job #(swap! counts update % (fnil inc 0))))]
    (when (not= :succeeded result)
      (throw (ex-info (str "ended with " result) {})))
    {"milliseconds" (quot (- (System/nanoTime) start) 1000000)
     "copied"       (:copied @counts)
     "skipped"      (:skipped @counts)}))

(defn write
  "Datomic's own backup."
  [jdbc name dir incremental?]
  (timed #(backup/backup (storage/uri-of jdbc name) (uri-of dir) nil % incremental?)))

(defn restore
  "Datomic's own restore."
  [dir t jdbc name]
  (timed #(backup/restore (uri-of dir) (storage/uri-of jdbc name) % t false)))

(defn- restored [dir t]
  (storage/with-memory
   (fn [jdbc]
     (restore dir t jdbc "judged")
     (storage/content jdbc "judged"))))

(defn- opened [dir t]
  (storage/forget)
  (digest/content (peer/connect-to-backup (uri-of dir) t)))

(defn- insist [holds? what found]
  (when-not holds? (throw (ex-info (str what ": " (pr-str found)) {}))))

(defn judge-one
  "One value of a backup, read in every way that Datomic has. Stricter than its
  restore, which takes an empty leaf and a missing owner."
  [dir t]
  (let [{owner "db-id"} (describe dir)
        checked  (verify dir t)
        restored (restored dir t)
        opened   (opened dir t)]
    (insist (every? empty? (map checked ["missing" "unreadable"])) "segments lack" checked)
    (insist (= t (restored "basis-t")) "another t" restored)
    (insist (= owner (restored "db-id")) "another owner" owner)
    (insist (= restored opened) "restored and opened differ" [restored opened])
    (insist (= (restored "sha256-history") (restored "sha256-history-aevt")) "the indexes differ" restored)
    {"t" t, "verify" checked, "restored" restored}))

(defn judge
  "All values that are asked for; without any, all there are, newest first."
  [dir & ts]
  (let [ts (or ts ((describe dir) "ts"))]
    (insist (seq ts) "no backup" dir)
    (mapv (partial judge-one dir) ts)))
