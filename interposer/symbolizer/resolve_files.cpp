#include "interposer/symbolizer/resolve_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

namespace memlens::symbolizer {
namespace {

// Below this, reading the file again for a second slice (1 to 2 ms) costs more than it gains.
constexpr size_t kLeastSliceAddresses = 250;

uint64_t file_bytes(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

}  // namespace

ModuleStatus FileSymbols::status() const {
  // Slices can differ: one may have run out of time, and only one may hold named addresses.
  bool any_out_of_time = false;
  ModuleStatus best = ModuleStatus::kMissing;
  for (const ModuleSymbols& slice : slices_) {
    any_out_of_time = any_out_of_time || slice.status == ModuleStatus::kOutOfTime;
    if (&slice == &slices_.front() || slice.status < best) best = slice.status;
  }
  return any_out_of_time ? ModuleStatus::kOutOfTime : best;
}

class FileResolver {
 public:
  FileResolver(std::span<const MappedFile> files, const ResolveFilesOptions& options)
      : files_(files), options_(options), results_(files.size()) {}

  std::vector<FileSymbols> run() {
    const unsigned threads = options_.threads != 0
                                 ? options_.threads
                                 : std::max(1u, std::thread::hardware_concurrency());
    plan(threads);
    std::vector<std::thread> workers;
    const size_t needed = std::min<size_t>(threads, jobs_.size());
    try {
      for (size_t i = 1; i < needed; ++i) workers.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // No thread more for this user (`ulimit -u`): those there are do all of it.
    }
    work();
    for (std::thread& worker : workers) worker.join();
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    return std::move(results_);
  }

 private:
  struct Job {
    size_t file;
    size_t slice;
    uint64_t weight;
  };

  void plan(unsigned threads) {
    for (size_t f = 0; f < files_.size(); ++f) {
      const size_t count = files_[f].addresses.size();
      total_addresses_ += count;
      if (count == 0) continue;
      const size_t slices = std::clamp<size_t>(count / kLeastSliceAddresses, 1, threads);
      FileSymbols& result = results_[f];
      result.slice_size_ = (count + slices - 1) / slices;
      result.slices_.resize((count + result.slice_size_ - 1) / result.slice_size_);
      const uint64_t weight = file_bytes(files_[f].image.path);
      for (size_t s = 0; s < result.slices_.size(); ++s) jobs_.push_back({f, s, weight});
    }
    // The largest file last would leave the other threads with nothing to do.
    std::stable_sort(jobs_.begin(), jobs_.end(),
                     [](const Job& a, const Job& b) { return a.weight > b.weight; });
  }

  void work() {
    for (size_t number; (number = next_job_.fetch_add(1)) < jobs_.size();) {
      try {
        resolve_job(jobs_[number]);
      } catch (...) {
        const std::lock_guard<std::mutex> guard(mutex_);
        failure_ = std::current_exception();
        next_job_ = jobs_.size();
      }
    }
  }

  void resolve_job(const Job& job) {
    const MappedFile& file = files_[job.file];
    FileSymbols& result = results_[job.file];
    const size_t begin = job.slice * result.slice_size_;
    const size_t count = std::min(result.slice_size_, file.addresses.size() - begin);
    const std::span<const uint64_t> addresses = std::span(file.addresses).subspan(begin, count);
    SymbolizerOptions options = options_.symbolizer;
    if (options_.stop != nullptr && *options_.stop) options.deadline = {};
    result.slices_[job.slice] = resolve(file.image, addresses, options);
    const std::lock_guard<std::mutex> guard(mutex_);
    done_addresses_ += count;
    if (options_.progress) options_.progress(done_addresses_, total_addresses_);
  }

  std::span<const MappedFile> files_;
  const ResolveFilesOptions& options_;
  std::vector<FileSymbols> results_;
  std::vector<Job> jobs_;
  std::atomic<size_t> next_job_{0};
  size_t total_addresses_ = 0;
  std::mutex mutex_;  // of what follows
  size_t done_addresses_ = 0;
  std::exception_ptr failure_;
};

std::vector<FileSymbols> resolve_files(std::span<const MappedFile> files,
                                       const ResolveFilesOptions& options) {
  return FileResolver(files, options).run();
}

}  // namespace memlens::symbolizer
