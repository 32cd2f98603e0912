// Package datacamp reads and writes the backups of datacamp, a Clojure library
// that backs up Datahike. A backup is the datoms of a database value:
//
//	<database-id>/<backup-id>/          backup-id: yyyymmdd-hhmmss-<6 hex>
//	  checkpoint.edn                    first; what is done, for resuming
//	  chunks/datoms-<n>.fressian.gz     n from 0
//	  schema.edn, config.edn            for people; datacamp itself writes none
//	  manifest.edn                      what the backup has
//	  complete.marker                   the text "complete", last
//
// A chunk is the gzip of one Fressian map
//
//	{:format/type :datom-chunk, :format/version "1.0.0",
//	 :format/serialization :fressian, :chunk/id n, :datoms ([e a v tx added] …)}
//
// whose datoms are plain lists; vectors among the values are lists too, since
// data.fressian writes both alike. Here they are read as vectors. Datoms are in the order of EAVT, and a chunk
// goes on where the one before ends. The manifest has the SHA-256 and the size
// of each file.
//
// The facts are from datacamp's source (namespaces core, metadata and
// serialization) and from backups that it made.
//
// # What is different here
//
// datacamp writes the length of :datoms before it, here an END_COLLECTION code
// is behind it; and where datacamp has one Fressian cache for a chunk, here
// RESET_CACHES codes divide it, so that its parts can be made at the same time.
// Every reader of Fressian knows both. The checkpoint is read here, and goes
// on. History, which datacamp never exports, has retractions as datoms that are
// not added; the manifest then says :stats/history true.
package datacamp
