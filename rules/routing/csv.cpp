#include "rules/routing/csv.h"

#include <algorithm>

#include "gateway/base/bytes.h"

namespace railhead::routing {
namespace {

class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
    separator_ = separator_of(text_.substr(0, text_.find('\n')));
  }

  Result<std::vector<CsvRow>> read() {
    if (!base::is_utf8(text_)) return fail(Errc::invalid, "the file is not UTF-8");
    std::vector<CsvRow> rows;
    std::size_t cells = 0;
    while (at_ < text_.size()) {
      if (skip_line_end()) continue;  // an empty line
      Result<CsvRow> row = read_row();
      if (!row) return fail(row.error());
      if (!rows.empty() && row->cells.size() != rows.front().cells.size()) {
        return fault(row->line, "has " + std::to_string(row->cells.size()) + " cells, the header has " +
                                    std::to_string(rows.front().cells.size()));
      }
      cells += row->cells.size();
      if (cells > kCsvCellsMax) return fault(row->line, "more than " + std::to_string(kCsvCellsMax) + " cells");
      rows.push_back(std::move(*row));
    }
    if (rows.empty()) return fail(Errc::invalid, "the file has no header line");
    return rows;
  }

 private:
  static char separator_of(std::string_view header) {
    const auto count = [&](char c) { return std::count(header.begin(), header.end(), c); };
    if (count(',') >= count(';') && count(',') >= count('\t')) return ',';
    return count(';') >= count('\t') ? ';' : '\t';
  }

  static tl::unexpected<Error> fault(std::uint32_t line, const std::string& what) {
    return fail(Errc::invalid, "line " + std::to_string(line) + ": " + what);
  }

  bool skip_line_end() {
    if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
    if (text_[at_] != '\n') return false;
    ++at_;
    ++line_;
    return true;
  }

  Result<CsvRow> read_row() {
    CsvRow row;
    row.line = line_;
    for (;;) {
      CsvCell cell;
      if (at_ < text_.size() && text_[at_] == '"') {
        cell.quoted = true;
        if (Result<void> read = read_quoted(cell.text); !read) return fail(read.error());
      } else {
        const std::size_t end = std::min(text_.find_first_of(std::string{separator_, '\n'}, at_), text_.size());
        cell.text = text_.substr(at_, end - at_);
        at_ = end;
        if (!cell.text.empty() && cell.text.back() == '\r') cell.text.pop_back();
        if (cell.text.find('"') != std::string::npos) {
          return fault(line_, "a quote inside a cell that does not begin with one");
        }
      }
      row.cells.push_back(std::move(cell));
      if (at_ == text_.size()) return row;
      if (text_[at_] == separator_) {
        ++at_;
        continue;
      }
      if (skip_line_end()) return row;
      return fault(line_, "text after a closing quote");
    }
  }

  Result<void> read_quoted(std::string& out) {
    const std::uint32_t begun = line_;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] != '"') {
        out.push_back(text_[at_]);
        continue;
      }
      ++at_;
      if (at_ == text_.size() || text_[at_] != '"') return {};
      out.push_back('"');
    }
    return fault(begun, "a quote that nothing closes");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  char separator_ = ',';
};

}  // namespace

Result<std::vector<CsvRow>> parse_csv(std::string_view text) {
  if (text.size() > kCsvBytesMax) return fail(Errc::invalid, "the file is larger than 16 MiB");
  return CsvReader(text).read();
}

}  // namespace railhead::routing
