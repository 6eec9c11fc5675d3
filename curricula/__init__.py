"""Textbooks, the teacher and exams."""
