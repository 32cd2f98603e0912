// Package judge lets tests ask the real Datomic: whether a backup can be restored
// and what it holds, and what a database in SQL storage holds. It writes such
// databases too, so that tests have a live source.
//
//	j := judge.Start(t)
//	made, err := j.Make(ctx, judge.Database{JDBC: server.JDBC(), Name: "shop"}, 1000)
//
// One JVM serves a whole test binary and ends with it. It runs the peer library
// from Maven Central (clj/pom.xml has the version), whose jars are fetched once
// into $DATOM_JARS, or rclone-datom/datomic-<version> in the user's cache
// directory. There is no transactor: clj/judge/writer.clj calls the functions of
// one. Where Java or Maven is missing tests are skipped, or fail if
// DATOM_REQUIRE_SERVERS is set.
package judge
