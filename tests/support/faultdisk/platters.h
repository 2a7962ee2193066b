/* What is on the platters and what only in the cache: disks, their files, and what was overwritten
** since the last sync.  See faultdisk.c.
*/
#ifndef PLATTERS_H
#define PLATTERS_H
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096
#define DISKS 256
#define RULES 8
enum { K_OPEN, K_READ, K_WRITE, K_SYNC, K_TRUNCATE, K_DELETE, K_LOCK, K_SHM, KINDS };
enum { E_NONE, E_EIO, E_ENOSPC, E_SHORT_READ, E_SHORT_WRITE };
enum { F_DB = 1, F_WAL = 2, F_JOURNAL = 4, F_OTHER = 8 };

typedef struct { int64_t no; char *old; char doomed; } Block; /* old: bytes at the last sync, NULL: zeros */
typedef struct Node Node;
struct Node {
  Node *next;
  char *path;
  ino_t ino;
  int refs, kind;
  int exists;           /* its directory entry is durable */
  int64_t size;         /* its durable size */
  Block *blocks; int nblocks, nslots;
  int deleted;          /* 1: its deletion may still be undone, mem holds it; 2: forgotten */
  char *mem; int64_t mem_size;
};
typedef struct { int kinds, files, error; int64_t nth, times, seen; } Rule;
typedef struct {
  char *prefix; size_t plen;
  int64_t gen;          /* handles of another generation are dead */
  int track;
  Node *nodes;
  Rule rules[RULES]; int nrules;
  int64_t counts[KINDS], fired[KINDS];
} Disk;
typedef struct { sqlite3_file base; Disk *disk; Node *node; int64_t gen; sqlite3_file *real; } File;

static Disk disks[DISKS];
static int64_t generations = 1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *need(void *p){ if( !p ) abort(); return p; }
static Disk *disk_of(const char *path){
  Disk *best = 0;
  for(int i=0; i<DISKS; i++){
    Disk *d = &disks[i];
    if( d->prefix && !strncmp(path, d->prefix, d->plen) && (!best || d->plen>best->plen) ) best = d;
  }
  return best;
}
static int ends(const char *z, const char *tail){
  size_t n = strlen(z), m = strlen(tail);
  return n>=m && !strcmp(z+n-m, tail);
}
static int kind_of(const char *path){
  return ends(path, "-wal") ? F_WAL : ends(path, "-journal") ? F_JOURNAL : F_DB;
}

/* Chance ------------------------------------------------------------------------------------- */
static uint64_t mix(uint64_t x){
  x += 0x9e3779b97f4a7c15ULL; x = (x^(x>>30))*0xbf58476d1ce4e5b9ULL;
  x = (x^(x>>27))*0x94d049bb133111ebULL; return x^(x>>31);
}
static uint64_t path_seed(Disk *d, Node *n, uint64_t seed){
  uint64_t h = 0xcbf29ce484222325ULL;
  for(const char *z=n->path+d->plen; *z; z++) h = (h^(unsigned char)*z)*0x100000001b3ULL;
  return mix(seed^h);
}
static double unit(uint64_t x){ return (double)(x>>11)/9007199254740992.0; }

/* What was on the disk at the last sync ------------------------------------------------------ */
static Block *slot_of(Node *n, int64_t no){
  int i = (int)(mix((uint64_t)no) & (uint64_t)(n->nslots-1));
  while( n->blocks[i].no>=0 && n->blocks[i].no!=no ) i = (i+1) & (n->nslots-1);
  return &n->blocks[i];
}
static void grow(Node *n, int slots){
  Block *was = n->blocks; int had = n->nslots;
  n->blocks = need(malloc(sizeof(Block)*(size_t)slots)); n->nslots = slots;
  for(int i=0; i<slots; i++) n->blocks[i] = (Block){-1, 0, 0};
  for(int i=0; i<had; i++) if( was[i].no>=0 ) *slot_of(n, was[i].no) = was[i];
  free(was);
}
/* Remember the blocks that overlap [from, to) before they change. */
static void remember(Node *n, sqlite3_file *real, int64_t from, int64_t to){
  for(int64_t no=from/BLOCK; no*BLOCK<to; no++){
    if( 2*(n->nblocks+1) > n->nslots ) grow(n, n->nslots ? 2*n->nslots : 64);
    Block *b = slot_of(n, no);
    if( b->no>=0 ){ b->doomed = 0; continue; }
    int64_t has = n->size - no*BLOCK;
    *b = (Block){no, 0, 0};
    n->nblocks++;
    if( has<=0 ) continue;
    if( has>BLOCK ) has = BLOCK;
    b->old = need(calloc(1, BLOCK));
    real->pMethods->xRead(real, b->old, (int)has, no*BLOCK);
  }
}
/* Forget them: all, or those that the disk has now. */
static void forget(Node *n, int all){
  Block *was = n->blocks; int had = n->nslots;
  n->blocks = 0; n->nblocks = n->nslots = 0;
  for(int i=0; i<had; i++){
    if( was[i].no<0 ) continue;
    if( all || !was[i].doomed ){ free(was[i].old); continue; }
    if( 2*(n->nblocks+1) > n->nslots ) grow(n, n->nslots ? 2*n->nslots : 64);
    *slot_of(n, was[i].no) = was[i]; n->nblocks++;
  }
  free(was);
}
static void doom(Node *n){ for(int i=0; i<n->nslots; i++) n->blocks[i].doomed = 1; }

static Node *node_of(Disk *d, const char *path){
  Node *n = d->nodes;
  while( n && (n->deleted || strcmp(n->path, path)) ) n = n->next;
  return n;
}
static Node *ghost_of(Disk *d, const char *path){
  Node *n = d->nodes;
  while( n && (n->deleted!=1 || strcmp(n->path, path)) ) n = n->next;
  return n;
}
static void drop_all(Disk *d){
  while( d->nodes ){
    Node *n = d->nodes; d->nodes = n->next;
    forget(n, 1); free(n->mem); free(n->path); free(n);
  }
}
/* The node of a file that was just opened; `found`: it was there before. */
static Node *enter(Disk *d, const char *path, int kind, int found){
  struct stat st;
  if( stat(path, &st) ) memset(&st, 0, sizeof st);
  Node *n = node_of(d, path);
  if( n && n->ino!=st.st_ino ){ n->deleted = 2; n = 0; } /* replaced from outside: take it as it is */
  if( !n ){
    n = need(calloc(1, sizeof *n));
    n->path = need(strdup(path)); n->ino = st.st_ino;
    n->exists = found; n->size = found ? st.st_size : 0;
    n->next = d->nodes; d->nodes = n;
  }
  n->kind = kind; n->refs++;
  return n;
}
static void sync_directory(Disk *d, const char *path){
  size_t len = (size_t)(strrchr(path, '/')-path)+1;
  for(Node *n=d->nodes; n; n=n->next){
    if( strncmp(n->path, path, len) || strchr(n->path+len, '/') ) continue;
    if( n->deleted==1 ) n->deleted = 2;
    if( !n->deleted ) n->exists = 1;
  }
}
static char *contents(const char *path, int64_t *size){
  struct stat st; int fd = open(path, O_RDONLY|O_CLOEXEC);
  if( fd<0 || fstat(fd, &st) ){ if( fd>=0 ) close(fd); return 0; }
  char *all = need(malloc((size_t)st.st_size+1)); int64_t at = 0; ssize_t got;
  while( at<st.st_size && (got = read(fd, all+at, (size_t)(st.st_size-at)))>0 ) at += got;
  close(fd); *size = at; return all;
}

/* After a cut --------------------------------------------------------------------------------- */
typedef struct { int64_t kept, lost, torn, files_gone, files_back; } Cut;

/* What the platters hold of a file: `all` (its bytes before the cut) is changed in place. */
static int64_t settle(Disk *d, Node *n, char **all, int64_t size, uint64_t seed, int sector,
                      double keep, double torn, Cut *cut){
  uint64_t chance = path_seed(d, n, seed);
  int64_t most = size>n->size ? size : n->size, end = size;
  if( size!=n->size && unit(mix(chance^1))>=keep ){
    end = n->size;
    if( size>end && keep>0 ) end += (int64_t)(mix(chance^2)%(uint64_t)(size-end+1))/sector*sector;
  }
  *all = need(realloc(*all, (size_t)most+BLOCK));
  memset(*all+size, 0, (size_t)(most+BLOCK-size));
  for(int i=0; i<n->nslots; i++){
    Block *b = &n->blocks[i];
    if( b->no<0 ) continue;
    for(int64_t at=b->no*BLOCK, part=0; part<BLOCK; at+=sector, part+=sector){
      if( at>=most ) break;
      if( at>=end ){ cut->lost += at<size; continue; }
      char before[BLOCK]; int64_t len = at+sector>end ? end-at : sector;
      if( b->old ) memcpy(before, b->old+part, (size_t)len); else memset(before, 0, (size_t)len);
      if( !memcmp(before, *all+at, (size_t)len) ) continue;
      uint64_t draw = mix(chance + 0x632be59bd9b4e019ULL*(uint64_t)(at/sector+1));
      int tears = !b->doomed && at<size && unit(draw)<keep && unit(mix(draw))<torn;
      if( tears ){ /* one end is new, the other is old */
        int64_t k = 1+(int64_t)(mix(draw^3)%(uint64_t)len); /* never none, at most all */
        if( draw & 1 ) memcpy(*all+at+k, before+k, (size_t)(len-k));
        else memcpy(*all+at, before, (size_t)k);
        cut->torn++;
      }else if( !b->doomed && at<size && unit(draw)<keep ) cut->kept++;
      else{ memcpy(*all+at, before, (size_t)len); cut->lost++; }
    }
  }
  return end;
}
static void put(const char *path, const char *all, int64_t size){
  char part[4200]; int64_t at = 0; ssize_t got;
  snprintf(part, sizeof part, "%s.cut~", path);
  int fd = open(part, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);
  while( fd>=0 && at<size && (got = write(fd, all+at, (size_t)(size-at)))>0 ) at += got;
  if( fd<0 || at<size || close(fd) || rename(part, path) ){ perror(path); abort(); }
}
/* Its directory is there: nobody has taken it away from outside. */
static int housed(const char *path){
  char home[4200]; struct stat st;
  snprintf(home, sizeof home, "%.*s", (int)(strrchr(path, '/')-path), path);
  return !stat(home, &st);
}
static void remove_shm(const char *path){
  char shm[4200];
  snprintf(shm, sizeof shm, "%s-shm", path); unlink(shm);
}
#endif
